"""The stop that is signed in advance: mined on the local chain, no order of that wallet settles until it is taken back."""

from pathlib import Path

import pytest
from eth_account import Account
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.pause import GAS
from services.common.polymarket.environment import PRODUCTION
from services.venue.node import addresses, genesis
from services.venue.node.evm import BASE_FEE
from services.venue.node.transactions import Request, decode_raw, impersonate
from tests.venue_chain import ALICE, BOB, BUY, SELL, SHARE, USDC, YES, Contracts, a_match, an_order

PAUSED = ("isUserPaused", ("address",))
INTERVAL = ("setUserPauseBlockInterval", ("uint256",))
HALF = a_match(
    an_order(ALICE, BUY, YES, 40 * SHARE, 500_000),
    an_order(BOB, SELL, YES, 40 * SHARE, 500_000),
    taker_fill=2 * USDC,
    maker_fills=(4 * SHARE,),
)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "wallet.key"
    file.touch(mode=0o600)
    file.write_text(bytes(BOB.key).hex())
    return file


def said(*arguments: object) -> tuple[int, list[list[str]], str]:
    ended = CliRunner().invoke(app, ["pause-user", *map(str, arguments)])
    return ended.exit_code, [line.split() for line in ended.stdout.splitlines()], ended.stderr


def paid(contracts: Contracts, wallet: str) -> None:
    """The wallet has what gas costs."""
    admin = genesis.canonical(addresses.ADMIN)
    request = Request(admin, genesis.canonical(wallet), b"", 10**18, 21_000)
    assert contracts.chain.execute(impersonate(request, contracts.chain.nonce(admin), BASE_FEE)).ok


def mined(contracts: Contracts, raw: str) -> None:
    done = contracts.chain.execute(decode_raw(bytes.fromhex(raw.removeprefix("0x"))))
    assert done.ok
    assert done.gas_used * 2 <= GAS


def test_once_it_is_mined_nothing_of_the_wallet_settles_until_it_is_taken_back(key_file: Path):
    contracts = Contracts()
    contracts.must(addresses.ADMIN, addresses.EXCHANGE, INTERVAL, 2)
    paid(contracts, BOB.address)
    nonce = contracts.chain.nonce(genesis.canonical(BOB.address))
    at = ("--exchange", addresses.EXCHANGE)
    (pausing,) = said(key_file, "--nonce", nonce, *at)[1]
    (unpausing,) = said(key_file, "--nonce", nonce + 1, "--unpause", *at)[1]
    assert contracts.refusal(HALF) == ""

    mined(contracts, pausing[2])
    assert contracts.refusal(HALF) == ""
    contracts.chain.seal(0)
    contracts.chain.seal(0)

    assert contracts.ask(addresses.EXCHANGE, PAUSED, "bool", BOB.address)
    assert contracts.refusal(HALF) == "UserIsPaused"

    mined(contracts, unpausing[2])
    assert not contracts.ask(addresses.EXCHANGE, PAUSED, "bool", BOB.address)
    assert contracts.refusal(HALF) == ""


def test_every_exchange_has_its_own_one_after_the_other(key_file: Path):
    code, lines, _ = said(key_file, "--nonce", 7)

    assert code == 0
    assert [nonce for _, nonce, _ in lines] == ["7", "8", "9"]
    assert [at for at, _, _ in lines] == list(PRODUCTION.exchanges)
    assert {Account.recover_transaction(raw) for _, _, raw in lines} == {BOB.address}


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (("--exchange", "0x12"), "--exchange '0x12': expected 0x and 40 hex digits"),
        (("--rpc-url", "http://127.0.0.1:1"), "http://127.0.0.1:1 does not answer eth_chainId: ConnectError"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_signed(key_file: Path, wrong: tuple[str, ...], names: str):
    code, lines, errors = said(key_file, *wrong)

    assert (code, lines) == (2, [])
    assert names in errors.replace("\n", "")


def test_a_key_that_others_may_read_signs_nothing(key_file: Path):
    key_file.chmod(0o644)

    assert said(key_file, "--nonce", 0)[:2] == (2, [])
