"""A service with missing or wrong settings names them all at once and ends with 2, before it touches anything."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_account import Account

from services.cli.stack import certificate_settings
from services.common.rpc.authority import Authority
from services.common.sealing import add_key

SERVICES = ("monitor", "engine", "reconciler", "gateway")
SOUND = {
    "MESH_SECRET": "a secret of the mesh",
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "MONGODB_URI": "mongodb://127.0.0.1:1/?replicaSet=rs0",
}
WALLET = "POLYCOPY_CONFIG or PROXY_WALLET"
KEYS = "JWT_SECRET or JWT_KEYS_DIR"
CERTIFICATE = "MESH_CA_FILE, MESH_CERT_FILE, MESH_KEY_FILE"


def refusal(service: str, settings: dict[str, str]) -> list[str]:
    """What the service says to these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        check=False,
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, *lines = ended.stderr.splitlines()
    assert ended.returncode == 2, ended.stderr
    assert first == "settings are missing or wrong:"
    return [line.strip() for line in lines]


def names(lines: list[str]) -> set[str]:
    return {line.partition(": ")[0] for line in lines}


@pytest.mark.parametrize("service", SERVICES)
def test_every_missing_setting_is_named_at_once(service: str) -> None:
    further = {WALLET, CERTIFICATE} if service in {"engine", "reconciler"} else set()
    further |= {"SEAL_KEY_FILE"} if service == "engine" else set()

    assert names(refusal(service, {})) == {"MESH_SECRET", "MONGODB_URI", KEYS} | further


def test_the_signer_needs_a_wallet_and_a_certificate_and_nothing_else() -> None:
    assert names(refusal("signer", {})) == {"SIGNER_CONFIG or PROXY_WALLET", CERTIFICATE}


@pytest.mark.parametrize(
    ("service", "own"),
    [
        ("monitor", {"MONITOR_LISTEN": "here", "MONITOR_SWEEP_MS": "1", "USER_ADDRESSES": "0x12"}),
        (
            "engine",
            {"ENGINE_LISTEN": "here", "ENGINE_LEASE_MS": "soon", "PROXY_WALLET": "0x12", "RPC_WITNESS_URLS": "a,b"},
        ),
        ("reconciler", {"RECONCILER_LISTEN": "here", "RECONCILER_COMPARE_MS": "-1", "PROXY_WALLET": "me"}),
        ("gateway", {"GATEWAY_LISTEN": "here", "API_PORT": "70000", "PUBLIC_URL": "gateway", "ENABLE_API_DOCS": "?"}),
    ],
)
def test_every_wrong_setting_is_named_at_once_and_no_value_is_shown(service: str, own: dict[str, str]) -> None:
    common = {
        "LOG_LEVEL": "loud",
        "METRICS_PORT": "x1",
        "MESH_SECRET": "hush-hush",
        "JWT_SECRET": "hush-hush",
        "MONGODB_URI": "hush-hush",
        "REDIS_URL": "hush-hush",
        "CHAIN_ID": "polygon",
        "CLOB_URL": "ftp://venue",
        "EXCHANGE_ADDRESS": "0x1",
    }

    lines = refusal(service, common | own)

    assert names(lines) >= set(common | own)
    assert "hush-hush" not in "".join(lines)


def test_what_settings_mean_together_is_named_beside_what_each_lacks(tmp_path: Path) -> None:
    alone = {"MESH_CA_FILE": str(tmp_path / "ca.pem"), "JWT_KEYS_DIR": str(tmp_path), "LOG_LEVEL": "loud"}
    alone["SEAL_KEY_FILE"] = str(tmp_path / "no.key")

    lines = refusal("engine", {"MONGODB_URI": SOUND["MONGODB_URI"], **alone})

    assert names(lines) == {
        "LOG_LEVEL",
        "MESH_SECRET",
        "JWT_KEYS_DIR",
        CERTIFICATE,
        WALLET,
        "SEAL_KEY_FILE",
    }


def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    files = {name: str(tmp_path / "no.pem") for name in ("MESH_CA_FILE", "MESH_CERT_FILE", "MESH_KEY_FILE")}

    assert names(refusal("gateway", SOUND | files)) == set(files)


def certified(folder: Path, name: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return certificate_settings(Authority.made(now).issue(name, folder, now, environment="test"))


def a_key(folder: Path, mode: int = 0o600) -> tuple[str, Path]:
    """A wallet's address, and the file of its key."""
    wallet, key_file = Account.create(), folder / "key"
    key_file.touch(mode=mode)
    key_file.chmod(mode)
    key_file.write_text(wallet.key.hex())
    return wallet.address, key_file


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    wallet, key_file = a_key(tmp_path, 0o644)

    lines = refusal(
        "signer", certified(tmp_path, "signer") | {"PROXY_WALLET": wallet, "PRIVATE_KEY_FILE": str(key_file)}
    )

    assert lines == [f"{key_file}: must be a file that only its owner can read (chmod 600)"]


def test_the_key_of_another_wallet_is_refused(tmp_path: Path) -> None:
    _, key_file = a_key(tmp_path)
    own = {"PROXY_WALLET": Account.create().address, "PRIVATE_KEY_FILE": str(key_file)}

    (line,) = refusal("signer", certified(tmp_path, "signer") | own)

    assert "expected its own key, found the key of 0x" in line


def test_every_problem_of_the_signers_file_is_named(tmp_path: Path) -> None:
    wallet, key_file = a_key(tmp_path)
    file = tmp_path / "signer.toml"
    file.write_text(
        f'[[wallets]]\nwallet = "{wallet}"\nkey_file = "{key_file}"\nkms_key = "alias/x"\n'
        '[[wallets]]\nwallet = "0x1"\nkeystore_file = "k"\nmax_order_usd = 1\nmax_orders_per_second = 0\n'
    )

    lines = refusal("signer", certified(tmp_path, "signer") | {"SIGNER_CONFIG": str(file)})

    assert {line.split(": ")[1] for line in lines} == {
        "wallets[0]",
        "wallets[1].wallet",
        "wallets[1].max_order_usd",
        "wallets[1].max_orders_per_second",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "PRIVATE_KEY_FILE, KEYSTORE_FILE, KMS_KEY_ID: one of them is required with PROXY_WALLET"),
        ({"PRIVATE_KEY_FILE": "k", "KMS_KEY_ID": "x"}, "PRIVATE_KEY_FILE, KEYSTORE_FILE, KMS_KEY_ID: one of them"),
        ({"KEYSTORE_FILE": "k"}, "KEYSTORE_FILE, KEYSTORE_PASSPHRASE_FILE: both or none"),
    ],
    ids=["no key", "two keys", "a keystore without its passphrase"],
)
def test_a_wallet_has_one_key_in_one_place(given: dict[str, str], said: str, tmp_path: Path) -> None:
    (line,) = refusal("signer", certified(tmp_path, "signer") | {"PROXY_WALLET": Account.create().address} | given)

    assert line.startswith(said)


@pytest.mark.parametrize("service", ["monitor", "engine", "reconciler"])
def test_every_problem_of_a_configuration_file_is_named(service: str, tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        '[[accounts]]\nwallet = "0x1"\nkey_file = "k"\n[[accounts.follows]]\nleader = "nobody"\nratio_bsp = 1\n'
    )

    add_key(tmp_path / "seal.key")
    own = {"POLYCOPY_CONFIG": str(file), "SEAL_KEY_FILE": str(tmp_path / "seal.key")}

    lines = refusal(service, SOUND | certified(tmp_path, service) | own)

    assert names(lines) == {"POLYCOPY_CONFIG"}
    assert {line.split(": ")[1] for line in lines} >= {
        "accounts[0].wallet",
        "accounts[0].key_file",
        "accounts[0].follows[0].leader",
        "accounts[0].follows[0].ratio_bsp",
    }


def test_leaders_without_a_wallet_that_copies_them_are_refused() -> None:
    leaders = {"USER_ADDRESSES": Account.create().address}

    assert refusal("monitor", SOUND | leaders) == ["PROXY_WALLET: required with USER_ADDRESSES"]
