"""One contract for whoever signs: a key in a file, in a keystore, in KMS, or held by the signer's process."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from coincurve import PublicKey

from services.common.domain.intent import Intent
from services.common.polymarket.eip712 import auth_digest, order_digest
from services.common.polymarket.environment import PRODUCTION
from services.common.ports.signer import Signer, SignerRefused, SignerStanding
from services.common.signing.key import LocalKey, address_of
from services.common.signing.key_file import KeyFileSigner
from services.common.signing.key_signer import KeySigner
from services.common.signing.keystore import read_keystore
from services.common.signing.kms import KmsKey
from tests import kms_stand_in
from tests.signer_world import KEY, KEYSTORE, NOON, PASSPHRASE, WALLET, World, fields, intent, unhurried

pytestmark = pytest.mark.xdist_group("signers")

HALF = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
SECONDS = int(NOON.timestamp())


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> LocalKey:
    """The key out of a keystore, which takes its second."""
    folder = tmp_path_factory.mktemp("keystore")
    store, passphrase = kept(folder / "wallet.json", KEYSTORE), kept(folder / "passphrase", PASSPHRASE + "\n")
    return LocalKey(read_keystore(store, passphrase))


def kept(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[kms_stand_in.Kms]:
    with kms_stand_in.kms(KEY) as stand_in:
        for name, value in kms_stand_in.settings(stand_in).items():
            monkeypatch.setenv(name, value)
        yield stand_in


@pytest.fixture(params=["key file", "keystore", "KMS", "the service", "the service over KMS"])
async def signer(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Signer]:
    unhurried(monkeypatch)
    async with AsyncExitStack() as parts:
        match request.param:
            case "key file":
                yield KeyFileSigner.read(kept(tmp_path / "key", KEY.hex()), 137)
            case "keystore":
                yield KeySigner(request.getfixturevalue("opened"), 137)
            case "KMS":
                request.getfixturevalue("kms")
                yield KeySigner(await KmsKey.open(kms_stand_in.KEY_ID), 137)
            case name:
                key = LocalKey(KEY)
                if name == "the service over KMS":
                    request.getfixturevalue("kms")
                    key = await KmsKey.open(kms_stand_in.KEY_ID)
                world = World(tmp_path, key)
                await parts.enter_async_context(world.running())
                yield await parts.enter_async_context(world.signer())


def signed_by(signature: str, digest: bytes) -> str:
    raw = bytes.fromhex(signature.removeprefix("0x"))
    assert len(raw) == 65
    assert raw[64] in (27, 28)
    assert 0 < int.from_bytes(raw[32:64], "big") <= HALF
    found = PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] - 27]), digest, hasher=None)
    return address_of(found.format(compressed=False))


async def test_a_stored_intent_is_signed_by_the_wallets_key_with_a_low_s(signer: Signer):
    assert signer.address == WALLET
    for salt in range(3):
        order = fields(salt=salt)
        assert signed_by(await signer.sign_intent(f"copy-{salt}", intent(order)), order_digest(order)) == WALLET


@pytest.mark.parametrize(
    ("exchange", "version"),
    [
        (PRODUCTION.exchange_address, "2"),
        (PRODUCTION.neg_risk_exchange_address, "2"),
        (PRODUCTION.exchange_v3_address, "3"),
    ],
    ids=["standard", "neg-risk", "protocol v2"],
)
async def test_orders_of_every_exchange_are_signed(signer: Signer, exchange: str, version: str):
    order = fields(exchange=exchange, domain_version=version)

    assert signed_by(await signer.sign_intent("copy", intent(order)), order_digest(order)) == WALLET


async def test_the_same_intent_again_is_the_same_order(signer: Signer):
    stored = intent()
    for _ in range(5):
        assert signed_by(await signer.sign_intent("copy", stored), order_digest(stored.fields)) == WALLET


@pytest.mark.parametrize(
    "stored",
    [
        intent(order_hash="0x" + "ab" * 32),
        intent(fields(signer="0x" + "12" * 20)),
        intent(fields(chain_id=80002)),
        intent(fields(domain_version="2"), fields=fields(domain_version="1")),
        intent(fields(signature_type=7)),
    ],
    ids=["a hash of something else", "another signer", "another chain", "an unknown domain", "an unknown type"],
)
async def test_what_is_not_its_to_sign_is_refused(signer: Signer, stored: Intent):
    with pytest.raises(SignerRefused):
        await signer.sign_intent("copy", stored)


async def test_it_signs_for_the_credentials_of_its_wallet(signer: Signer):
    signature = await signer.sign_auth(SECONDS, 0)

    assert signed_by(signature, auth_digest(WALLET, SECONDS, 0, 137)) == WALLET


async def test_it_says_that_it_would_sign(signer: Signer):
    assert await signer.standing() is SignerStanding.READY
    assert signer.at_hand


async def test_what_is_made_of_other_fields_is_another_order(signer: Signer):
    one, other = intent(), intent(fields(salt=secrets.randbelow(2**53)))

    assert one.order_hash != other.order_hash
    with pytest.raises(SignerRefused):
        await signer.sign_intent("copy", replace(one, fields=other.fields))
