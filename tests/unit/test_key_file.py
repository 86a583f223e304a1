"""The signer of a key file keeps its key to itself and signs only what is its own."""

from dataclasses import replace

import pytest
from coincurve import PublicKey

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side
from services.common.polymarket.eip712 import order_digest
from services.common.ports.signer import SignerRefused
from services.common.signing.key_file import KeyFileSigner, KeyRejected

KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
WALLET, OTHER = "0x" + "a1" * 20, "0x" + "b2" * 20
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def an_order(**changes) -> OrderFields:
    fields = OrderFields(
        salt=1,
        maker=ADDRESS,
        signer=ADDRESS,
        token_id="7",
        maker_amount=5_000_000,
        taker_amount=10_000_000,
        side=Side.BUY,
        signature_type=0,
        timestamp_ms=0,
        metadata="0x" + "00" * 32,
        builder="0x" + "00" * 32,
        chain_id=137,
        exchange="0xE111180000d2663C0091e4f400237545B87B996B",
        domain_version="2",
    )
    return replace(fields, **changes)


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "account.key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    return file


async def test_a_signature_has_a_low_s_and_recovers_to_the_signer(key_file):
    signer = KeyFileSigner.read(key_file, 137)

    for salt in range(20):
        order = an_order(salt=salt)
        raw = bytes.fromhex((await signer.sign_order(order))[2:])
        assert len(raw) == 65
        assert raw[64] in (27, 28)
        assert int.from_bytes(raw[32:64], "big") <= CURVE_ORDER // 2
        recovered = PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] - 27]), order_digest(order), None)
        assert KeyFileSigner(bytes.fromhex(KEY), 137).address == signer.address == ADDRESS
        assert recovered == PublicKey.from_secret(bytes.fromhex(KEY))


async def test_signing_the_same_order_again_gives_the_same_bytes(key_file):
    signer = KeyFileSigner.read(key_file, 137)

    assert await signer.sign_order(an_order()) == await signer.sign_order(an_order())


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": "0x1111111111111111111111111111111111111111"},
        {"chain_id": 1},
        {"domain_version": "1"},
        {"signature_type": 3},
        {"signature_type": 4},
        {"signature_type": 1, "maker": WALLET, "signer": WALLET},
        {"signature_type": 2, "maker": OTHER},
        {"signature_type": 3, "maker": OTHER, "signer": OTHER},
        {"signature_type": 3, "maker": WALLET},
        {"maker": WALLET},
        {"maker_amount": -1},
        {"metadata": "0x00"},
    ],
    ids=[
        "another signer",
        "another chain",
        "old domain",
        "own wallet as a deposit wallet",
        "unknown type",
        "proxy as its own signer",
        "another's safe",
        "another's deposit wallet",
        "deposit wallet of another signer",
        "wallet as an EOA",
        "negative amount",
        "short metadata",
    ],
)
async def test_what_is_not_its_own_is_refused(key_file, changes):
    with pytest.raises(SignerRefused):
        await KeyFileSigner.read(key_file, 137, WALLET).sign_order(an_order(**changes))


@pytest.mark.parametrize("signature_type", [1, 2, 3])
async def test_a_contract_wallet_is_signed_for_only_where_it_is_named(key_file, signature_type):
    signs = WALLET if signature_type == 3 else ADDRESS
    order = an_order(signature_type=signature_type, maker=WALLET, signer=signs)

    assert await KeyFileSigner.read(key_file, 137, WALLET).sign_order(order)
    with pytest.raises(SignerRefused):
        await KeyFileSigner.read(key_file, 137).sign_order(order)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_key_that_others_can_touch_is_not_read(key_file, mode):
    key_file.chmod(mode)

    with pytest.raises(KeyRejected, match="chmod 600"):
        KeyFileSigner.read(key_file, 137)


@pytest.mark.parametrize("held", ["", "secret words", KEY[:-2], KEY + "00", "0" * 64, "zz" * 32])
def test_what_is_no_key_is_refused_without_being_quoted(key_file, held):
    key_file.write_text(held)

    with pytest.raises(KeyRejected) as caught:
        KeyFileSigner.read(key_file, 137)

    assert not held or held not in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(KeyRejected, match=r"absent\.key"):
        KeyFileSigner.read(tmp_path / "absent.key", 137)


def test_the_key_never_shows(key_file):
    signer = KeyFileSigner.read(key_file, 137)

    assert KEY not in repr(signer)
    assert KEY not in str(signer)
    assert not hasattr(signer, "__dict__")
