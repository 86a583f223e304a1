"""Logging in: what is signed, what opens the door, and what does not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from siwe import SiweMessage

from services.common.domain.user import UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.errors import InvalidArgument, LoginRefused
from services.common.store.memory import MemoryStores
from services.common.tokens import keys, read
from services.gateway.login import Login, signed_by

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEYS = keys("0123456789abcdef0123456789abcdef", None)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Noon:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


class Desk:
    """A login desk on a clock of its own."""

    def __init__(self) -> None:
        self.clock: Any = Noon()
        self.wallet = Account.create()
        self.stores: Any = MemoryStores(self.clock.now)
        names = {"domain": "api.example", "uri": "https://api.example", "chain_id": 137}
        self.login = Login(self.stores, KEYS, self.clock, admins=frozenset({self.wallet.address.lower()}), **names)  # type: ignore[arg-type]

    async def signed(self) -> tuple[str, str]:
        asked = await self.login.nonce(self.wallet.address)
        return sign(self.wallet, asked.message), asked.nonce


def sign(wallet: Any, message: str) -> str:
    return "0x" + bytes(wallet.sign_message(encode_defunct(text=message)).signature).hex()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_the_message_is_one_that_wallets_know_and_names_everything(desk: Desk) -> None:
    asked = await desk.login.nonce(desk.wallet.address.lower())
    parsed = SiweMessage.from_message(asked.message)

    assert (parsed.domain, str(parsed.uri).rstrip("/"), parsed.chain_id) == ("api.example", "https://api.example", 137)
    assert (parsed.address, parsed.nonce, parsed.version) == (desk.wallet.address, asked.nonce, "1")
    assert parsed.expiration_time == "2026-11-24T12:05:00.000Z"
    assert len(asked.nonce) == 32


async def test_the_role_comes_from_the_configuration(desk: Desk) -> None:
    token, user = await desk.login.login(desk.wallet.address, *await desk.signed())
    desk.wallet = Account.create()
    other, stranger = await desk.login.login(desk.wallet.address, *await desk.signed())
    claims = jwt.decode(token, options={"verify_signature": False})

    assert (user.role, stranger.role) == (UserRole.ADMIN, UserRole.USER)
    assert (claims["role"], claims["address"], claims["exp"] - claims["iat"]) == ("admin", user.address, 86_400)
    assert jwt.decode(other, options={"verify_signature": False})["jti"] != claims["jti"]


async def test_of_two_logins_with_one_message_one_succeeds(desk: Desk) -> None:
    signature, _ = await desk.signed()
    both = await asyncio.gather(
        *(desk.login.login(desk.wallet.address, signature, "") for _ in range(2)), return_exceptions=True
    )

    assert sorted(isinstance(one, LoginRefused) for one in both) == [False, True]


async def test_a_message_is_good_for_five_minutes(desk: Desk) -> None:
    signature, nonce = await desk.signed()
    desk.clock.at += timedelta(minutes=5)

    for given in ("", nonce):
        with pytest.raises(LoginRefused):
            await desk.login.login(desk.wallet.address, signature, given)


async def test_a_message_of_one_address_opens_no_other(desk: Desk) -> None:
    signature, nonce = await desk.signed()

    for given in ("", nonce):
        with pytest.raises(LoginRefused):
            await desk.login.login(Account.create().address, signature, given)


async def test_a_signature_of_something_else_opens_nothing(desk: Desk) -> None:
    await desk.signed()

    with pytest.raises(LoginRefused):
        await desk.login.login(desk.wallet.address, sign(desk.wallet, "log me in"), "")


@pytest.mark.parametrize("address", ["", "0x12", "vitalik.eth", "1" * 40, "0x" + "g" * 40])
async def test_what_is_no_address_is_refused_by_name(desk: Desk, address: str) -> None:
    with pytest.raises(InvalidArgument, match="address"):
        await desk.login.nonce(address)


def malleated(signature: str) -> str:
    """The other signature of the same message, which the chain refuses too."""
    raw = bytes.fromhex(signature[2:])
    flipped = (ORDER - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    return "0x" + (raw[:32] + flipped + bytes([55 - raw[64]])).hex()


def test_one_message_has_one_signature() -> None:
    wallet = Account.create()
    signature = sign(wallet, "text")

    assert signed_by("text", signature) == wallet.address.lower()
    assert signed_by("text", malleated(signature)) is None


@pytest.mark.parametrize(
    "signature",
    ["", "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "zz" * 65, "0x" + "11" * 64, "11" * 65, "0x" + "11" * 200],
)
def test_hostile_bytes_are_no_signature(signature: str) -> None:
    assert signed_by("text", signature) is None


async def test_a_token_read_back_is_the_users(desk: Desk) -> None:
    desk.clock.at = datetime.now(UTC)
    token, user = await desk.login.login(desk.wallet.address, *await desk.signed())

    assert read(KEYS, token)["sub"] == user.address


async def test_every_log_in_and_every_refusal_is_in_the_trail_of_its_day(desk: Desk) -> None:
    signature, nonce = await desk.signed()
    await desk.login.login(desk.wallet.address, signature, nonce)
    with pytest.raises(LoginRefused):
        await desk.login.login(desk.wallet.address, signature, nonce)

    (day,) = [one async for one in desk.stores.audit.trails() if one.trail.startswith("log_ins/")]

    who = desk.wallet.address.lower()
    assert day.trail == "log_ins/2026-11-24"
    assert [(entry.actor, entry.action) for entry in day.entries] == [(who, "login:admin"), (who, "login_refused")]


async def test_nobody_is_let_in_whose_log_in_cannot_be_written_down(desk: Desk) -> None:
    signature, nonce = await desk.signed()

    async def note(*_: object) -> None:
        raise StoreUnavailable("away")

    desk.stores.log_ins.note = note  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await desk.login.login(desk.wallet.address, signature, nonce)
