"""Stopping reaches every account that it can reach."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from polycopy.engine.v1 import engine_pb2 as pb

from services.common.domain.account import Account, AccountState
from services.common.domain.user import UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.caller import Caller, Principal, calling
from services.common.store.memory import MemoryStores
from services.engine.servicer import EngineServicer
from services.engine.status import Status
from tests.builders import NOON, an_account
from tests.engine_world import TestClock

ACCOUNTS = ["0x" + letter * 40 for letter in "abc"]
ADMIN = Caller("", Principal("0x" + "9" * 40, UserRole.ADMIN))


@pytest.fixture
async def stores() -> MemoryStores:
    made = MemoryStores(lambda: NOON)
    for account in ACCOUNTS:
        await made.accounts.create(an_account(account))
    return made


def servicer(stores: MemoryStores) -> EngineServicer:
    clock = TestClock()
    return EngineServicer(stores, Status(stores, {}, clock, "1"), clock, asyncio.Event())


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
