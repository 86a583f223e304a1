"""The engine's servicer on stores in memory: three accounts that trade, and an admin who calls."""

import asyncio
from collections.abc import Mapping

from services.common.domain.user import UserRole
from services.common.ports.signer import Halts
from services.common.rpc.caller import Caller, Principal
from services.common.store.memory import MemoryStores
from services.engine.servicer import EngineServicer
from services.engine.status import Status
from tests.builders import NOON, an_account
from tests.still_clock import TestClock

ACCOUNTS = ["0x" + letter * 40 for letter in "abc"]
ADMIN = Caller("", Principal("0x" + "9" * 40, UserRole.ADMIN))


async def accounts() -> MemoryStores:
    """Stores with nothing but the three."""
    made = MemoryStores(lambda: NOON)
    for account in ACCOUNTS:
        await made.accounts.create(an_account(account))
    return made


def servicer(stores: MemoryStores, halts: Halts | None = None, ours: Mapping[str, str] | None = None) -> EngineServicer:
    clock = TestClock()
    return EngineServicer(stores, Status(stores, {}, clock, "1"), clock, asyncio.Event(), halts, ours or {})
