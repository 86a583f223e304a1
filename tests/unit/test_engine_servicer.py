"""Stopping reaches every account that it can reach."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import grpc
import pytest
from polycopy.engine.v1 import engine_pb2 as pb

from services.common.domain.account import Account, AccountState
from services.common.domain.user import UserRole
from services.common.ports.signer import SignerAway, SignerHalted
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.caller import Caller, Principal, calling
from services.common.rpc.errors import (
    InvalidArgument,
    InvalidFields,
    PermissionDenied,
    SignerUnavailable,
    StopUnwritten,
    VersionConflict,
    WalletHalted,
)
from services.common.store.memory import MemoryStores
from services.engine import controls
from services.engine.ripening import Ripening
from services.engine.status import Status
from tests.builders import NOON
from tests.servicer_world import ACCOUNTS, ADMIN, accounts, servicer
from tests.still_clock import TestClock


@pytest.fixture
async def stores() -> MemoryStores:
    return await accounts()


async def states(stores: MemoryStores) -> dict[str, AccountState]:
    return {account.account_id: account.state for account in await stores.accounts.all()}


async def test_an_account_that_cannot_be_stopped_keeps_no_other_from_stopping(stores, monkeypatch):
    change = stores.accounts.change

    async def failing(account: str, wanted: Callable[[Account], Account | None]) -> Account | None:
        if account == ACCOUNTS[0]:
            raise StoreUnavailable("away")
        return cast("Account | None", await change(account, wanted))

    monkeypatch.setattr(stores.accounts, "change", failing)
    calling(ADMIN)

    with pytest.raises(StoreUnavailable):
        await servicer(stores).StopTrading(pb.StopTradingRequest(), None)  # type: ignore[arg-type]

    assert list((await states(stores)).values()) == [AccountState.ACTIVE, AccountState.HALTED, AccountState.HALTED]


async def test_one_account_is_stopped_and_started_alone(stores):
    calling(ADMIN)
    await servicer(stores).StopTrading(pb.StopTradingRequest(account_id=ACCOUNTS[1].upper().replace("X", "x")), None)  # type: ignore[arg-type]
    stopped = await states(stores)

    await servicer(stores).StartTrading(pb.StartTradingRequest(account_id=ACCOUNTS[1]), None)  # type: ignore[arg-type]

    assert [account for account, state in stopped.items() if state is AccountState.HALTED] == [ACCOUNTS[1]]
    assert set((await states(stores)).values()) == {AccountState.ACTIVE}


class SignersStop:
    """The signer's own stop, which notes what state accounts were in when it was asked."""

    def __init__(self, stores: MemoryStores, failure: Exception | None = None) -> None:
        self.asked: list[tuple[str, str, AccountState]] = []
        self._stores = stores
        self._failure = failure

    async def halt(self, wallet: str) -> None:
        await self._asked("halt", wallet)

    async def resume(self, wallet: str) -> None:
        await self._asked("resume", wallet)

    async def _asked(self, what: str, wallet: str) -> None:
        self.asked.append((what, wallet.lower(), (await states(self._stores))[wallet.lower()]))
        if self._failure is not None:
            raise self._failure


async def test_a_stop_halts_the_signer_first_and_a_start_resumes_it_first(stores):
    calling(ADMIN)
    halts = SignersStop(stores)
    engine = servicer(stores, halts)

    await engine.StopTrading(pb.StopTradingRequest(account_id=ACCOUNTS[0]), None)  # type: ignore[arg-type]
    await engine.StartTrading(pb.StartTradingRequest(account_id=ACCOUNTS[0]), None)  # type: ignore[arg-type]

    wallet = (await stores.accounts.get(ACCOUNTS[0])).wallet.lower()
    assert halts.asked == [("halt", wallet, AccountState.ACTIVE), ("resume", wallet, AccountState.HALTED)]


WALLETS = {account: account.upper().replace("X", "x") for account in ACCOUNTS}


class HaltsBut:
    """The signer's own stop, that knows nothing of some wallets."""

    def __init__(self, *but: str) -> None:
        self.halted: list[str] = []
        self._but = but

    async def halt(self, wallet: str) -> None:
        if wallet in self._but:
            raise SignerAway("away")
        self.halted.append(wallet)

    async def resume(self, wallet: str) -> None:
        raise AssertionError("a stop resumes nothing")


@pytest.mark.parametrize("hangs", [False, True], ids=["refuses", "hangs"])
async def test_a_stop_halts_the_signer_although_the_store_is_away_and_says_what_was_done(stores, monkeypatch, hangs):
    calling(ADMIN)
    halts = HaltsBut(WALLETS[ACCOUNTS[2]])
    stores.database.unavailable = True
    if hangs:
        monkeypatch.setattr(controls, "WRITTEN_S", 0.05)
        monkeypatch.setattr(stores.accounts, "all", asyncio.Event().wait)

    with pytest.raises(StopUnwritten) as told:
        await servicer(stores, halts, WALLETS).StopTrading(pb.StopTradingRequest(), None)  # type: ignore[arg-type]

    assert halts.halted == [WALLETS[account] for account in ACCOUNTS[:2]]
    assert "2 of 3 wallets" in told.value.text
    assert (told.value.code, told.value.reason_name) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert told.value.metadata == {"haltedAtSigner": "2", "notHaltedAtSigner": ACCOUNTS[2]}
    monkeypatch.undo()
    stores.database.unavailable = False
    assert set((await states(stores)).values()) == {AccountState.ACTIVE}


async def test_one_account_is_halted_at_the_signer_alone_while_the_store_is_away(stores):
    calling(ADMIN)
    halts = HaltsBut()
    stores.database.unavailable = True

    with pytest.raises(StopUnwritten):
        await servicer(stores, halts, WALLETS).StopTrading(pb.StopTradingRequest(account_id=ACCOUNTS[1]), None)  # type: ignore[arg-type]

    assert halts.halted == [WALLETS[ACCOUNTS[1]]]


async def test_who_may_not_stop_any_account_halts_none_unread(stores):
    calling(Caller("", Principal(ACCOUNTS[0], UserRole.USER)))
    halts = HaltsBut()
    stores.database.unavailable = True

    with pytest.raises(StoreUnavailable):
        await servicer(stores, halts, WALLETS).StopTrading(pb.StopTradingRequest(), None)  # type: ignore[arg-type]

    assert halts.halted == []


async def test_a_stop_asks_the_signer_once_for_each_wallet(stores):
    calling(ADMIN)
    halts = HaltsBut()

    await servicer(stores, halts, WALLETS).StopTrading(pb.StopTradingRequest(), None)  # type: ignore[arg-type]

    assert sorted(halts.halted) == sorted(WALLETS.values())
    assert set((await states(stores)).values()) == {AccountState.HALTED}


async def test_a_stop_waits_for_no_signer(stores):
    calling(ADMIN)

    await servicer(stores, SignersStop(stores, SignerAway("away"))).StopTrading(pb.StopTradingRequest(), None)  # type: ignore[arg-type]

    assert set((await states(stores)).values()) == {AccountState.HALTED}


@pytest.mark.parametrize(
    ("failure", "told"), [(SignerHalted("by ops"), WalletHalted), (SignerAway("away"), SignerUnavailable)]
)
async def test_what_the_operator_has_halted_at_the_signer_is_not_started(stores, failure, told):
    calling(ADMIN)
    await servicer(stores).StopTrading(pb.StopTradingRequest(), None)  # type: ignore[arg-type]

    with pytest.raises(told):
        await servicer(stores, SignersStop(stores, failure)).StartTrading(pb.StartTradingRequest(), None)  # type: ignore[arg-type]

    assert set((await states(stores)).values()) == {AccountState.HALTED}


SECOND = Caller("", Principal("0x" + "8" * 40, UserRole.ADMIN))


async def limits_of(stores: MemoryStores, account: str = ACCOUNTS[0]) -> pb.AccountLimits:
    answer = await servicer(stores).GetLimits(pb.GetLimitsRequest(), None)  # type: ignore[arg-type]
    return next(one for one in answer.accounts if one.account_id == account)


async def set_limits(stores: MemoryStores, version: int = 1, **figures: str) -> pb.AccountLimits:
    asked = pb.SetLimitsRequest(account_id=ACCOUNTS[0], version=version, limits=figures)
    return (await servicer(stores).SetLimits(asked, None)).account  # type: ignore[arg-type]


async def test_what_is_tightened_is_in_force_at_once_and_what_is_raised_waits_for_a_second_admin(stores):
    calling(ADMIN)
    asked = await set_limits(stores, max_order_usdc="10.5", max_in_flight_market="11")
    (wanted,) = asked.raises
    confirm = pb.ConfirmRaiseRequest(account_id=ACCOUNTS[0], raise_id=wanted.raise_id)

    with pytest.raises(PermissionDenied):
        await servicer(stores).ConfirmRaise(confirm, None)  # type: ignore[arg-type]
    calling(Caller("ops", None))
    with pytest.raises(PermissionDenied):
        await servicer(stores).ConfirmRaise(confirm, None)  # type: ignore[arg-type]
    calling(SECOND)
    await servicer(stores).ConfirmRaise(confirm, None)  # type: ignore[arg-type]

    assert (asked.limits["max_order_usdc"], asked.limits["max_in_flight_market"]) == ("10.5", "10")
    assert dict(wanted.limits) == {"max_in_flight_market": "11"}
    assert wanted.effective_at.ToDatetime() - wanted.at.ToDatetime() == timedelta(hours=24)
    after = await limits_of(stores)
    assert (after.limits["max_in_flight_market"], list(after.raises), after.version) == ("11", [], 3)


async def test_every_limit_that_makes_no_sense_is_named_and_nothing_is_changed(stores):
    calling(ADMIN)

    with pytest.raises(InvalidFields) as caught:
        await set_limits(stores, max_order_usdc="0", max_fee_bps="10001", nonsense="1", max_repetitions="1.5")

    assert caught.value.text.split("; ") == [
        "limits.max_fee_bps: must be 10000 at most",
        "limits.max_order_usdc: must be above 0",
        "limits.max_repetitions: expected a whole number",
        "limits.nonsense: not a limit",
    ]
    assert (await limits_of(stores)).version == 1


async def test_limits_are_changed_on_the_version_that_was_read(stores):
    calling(ADMIN)
    await set_limits(stores, max_order_usdc="10")

    with pytest.raises(VersionConflict):
        await set_limits(stores, max_order_usdc="9")

    assert (await limits_of(stores)).limits["max_order_usdc"] == "10"


async def test_a_raise_is_in_force_once_its_day_is_over(stores):
    calling(ADMIN)
    await set_limits(stores, max_order_usdc="300")
    ripening = Ripening(ACCOUNTS, stores, Status(stores, {}, TestClock(), "1"))

    await ripening.turn()
    waiting = (await limits_of(stores)).limits["max_order_usdc"]
    stores.database.now = lambda: NOON + timedelta(hours=24)
    await ripening.turn()

    assert (waiting, (await limits_of(stores)).limits["max_order_usdc"]) == ("250", "300")


async def test_starting_lets_no_other_version_journal_and_stopping_entries_loosens_nothing(stores):
    calling(ADMIN)
    await servicer(stores).StartTrading(pb.StartTradingRequest(account_id=ACCOUNTS[0]), None)  # type: ignore[arg-type]
    await servicer(stores).StopTrading(pb.StopTradingRequest(account_id=ACCOUNTS[1]), None)  # type: ignore[arg-type]

    answer = await servicer(stores).StopTrading(pb.StopTradingRequest(reducing=True), None)  # type: ignore[arg-type]

    assert answer.status == "reducing"
    assert (await stores.accounts.get(ACCOUNTS[0])).active_version == "1"
    assert list((await states(stores)).values()) == [
        AccountState.REDUCING,
        AccountState.HALTED,
        AccountState.REDUCING,
    ]


async def test_a_pause_is_named_by_what_it_holds_and_ends_by_that_name(stores):
    calling(ADMIN)
    asked = pb.PauseRequest(account_id=ACCOUNTS[0], scope="leader", subject="0x" + "A" * 40)
    made = await servicer(stores).Pause(asked, None)  # type: ignore[arg-type]
    (held,) = (await stores.accounts.get(ACCOUNTS[0])).pauses

    await servicer(stores).Resume(pb.ResumeRequest(pause_id=made.pause_id), None)  # type: ignore[arg-type]

    assert (held.by, made.pause_id) == (ADMIN.name, "leader:0x" + "a" * 40)
    assert (await stores.accounts.get(ACCOUNTS[0])).pauses == ()


@pytest.mark.parametrize(
    ("scope", "subject"), [("", ""), ("all", "0x1"), ("leader", ""), ("market", "0x12"), ("tag", "x")]
)
async def test_a_pause_of_nothing_that_could_be_held_is_refused(stores, scope, subject):
    calling(ADMIN)

    with pytest.raises(InvalidArgument, match="scope: expected all, leader with an address, or market"):
        await servicer(stores).Pause(pb.PauseRequest(scope=scope, subject=subject), None)  # type: ignore[arg-type]
