"""What happens to copies as it happens, with the engine's pulse in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from polycopy.engine.v1 import engine_pb2 as pb

from services.common.domain.copy import Copy
from services.common.ports.answers import Change
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.engine import wire
from services.engine.status import Status

PULSE = timedelta(seconds=5)
REMEMBERED = 1_000


class Events:
    """One stream for each caller, out of the database's own change stream: nothing is told that is not stored."""

    def __init__(self, stores: Stores, status: Status, clock: Clock) -> None:
        self._stores = stores
        self._status = status
        self._clock = clock

    async def of(self, accounts: Sequence[str], token: str | None) -> AsyncIterator[pb.WatchEventsResponse]:
        """Events of these accounts, from now or after `token`; a pulse at once, and every few seconds. Raises `StoreUnavailable`."""
        changes = self._stores.copies.watch(token)
        yield await self._pulse(accounts, token or "")
        told: dict[str, pb.TradeExecuted] = {}
        now = asyncio.get_running_loop().time  # clock: a pulse for people, nothing is decided by it
        due = now() + PULSE.total_seconds()
        coming = asyncio.ensure_future(anext(changes))
        try:
            while True:
                await asyncio.wait({coming}, timeout=max(0.0, due - now()))
                if now() >= due:
                    due = now() + PULSE.total_seconds()
                    yield await self._pulse(accounts, token or "")
                if not coming.done():
                    continue
                change = coming.result()
                coming = asyncio.ensure_future(anext(changes))
                token = change.token
                event = self._told(change, accounts)
                if event is not None and _is_news(event, told):
                    yield event
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    def _told(self, change: Change[Copy], accounts: Sequence[str]) -> pb.WatchEventsResponse | None:
        if change.value is not None and change.value.account_id not in accounts:
            return None
        return wire.write_change(change)

    async def _pulse(self, accounts: Sequence[str], token: str) -> pb.WatchEventsResponse:
        active = await self._status.active(accounts)
        return pb.WatchEventsResponse(
            resume_token=token,
            system_status=pb.SystemStatus(uptime_ms=self._status.uptime_ms, active_trades=active),
        )


def _is_news(event: pb.WatchEventsResponse, told: dict[str, pb.TradeExecuted]) -> bool:
    # Most changes of a copy are of its claim or its evidence, which people do not see.
    if event.WhichOneof("event") != "trade_executed":
        return True
    trade = event.trade_executed
    if told.pop(trade.trade_id, None) == trade:
        told[trade.trade_id] = trade
        return False
    told[trade.trade_id] = trade
    if len(told) > REMEMBERED:
        told.pop(next(iter(told)))
    return True
