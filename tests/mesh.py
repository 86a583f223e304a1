"""A whole mesh for tests: real processes on free ports, scripted leaders, and the venue's own log as the oracle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from polycopy.reconciler.v1 import reconciler_pb2, reconciler_pb2_grpc

from services.cli import books, venue_log, wire
from services.cli.addresses import Addresses
from services.cli.books import Books
from services.cli.stack import Options, Stack
from services.cli.summary import summary
from services.cli.venue_log import VenueLog
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.lifecycle import TERMINAL
from services.common.store.client import MongoStores
from tests.patience import PATIENT_S

T = TypeVar("T")

RECONCILER = "polycopy.reconciler.v1.ReconcilerService"

SHARE = 1_000_000
LOOK_S = 0.1
QUICK = {"ENGINE_LEASE_MS": "2000", "MONITOR_SWEEP_MS": "1000", "RECONCILER_SETTLE_MS": "500"}


@dataclass(frozen=True, slots=True)
class Mesh:
    """One running mesh. Leaders trade by `take` and `rest`; everything else is what a user or an operator could see."""

    stack: Stack
    stores: MongoStores

    async def take(self, trader: str, market: int, *, side: str = "BUY", outcome: int = 0, **how: Any) -> str:
        """One marketable order of a leader; its hash. `how`: shares_micros, usdc_micros, fraction_bps or levels."""
        amount = {} if "fraction_bps" in how else {"shares_micros": 100 * SHARE}
        body = {"trader": trader, "market": market, "side": side, "outcome": outcome, "levels": 4, **amount, **how}
        (order,) = (await self.stack.admin.trade(**body))["orders"]
        assert not order["error"], order
        assert order["matched_micros"] > 0, order
        return str(order["order_hash"])

    async def rest(
        self,
        trader: str,
        market: int,
        *,
        orders: int,
        side: str = "BUY",
        outcome: int = 0,
        shares_micros: int = 60 * SHARE,
    ) -> list[str]:
        """Resting orders of a leader that one transaction fills; their hashes."""
        wanted = {"trader": trader, "market": market, "side": side, "outcome": outcome, "orders": orders}
        placed = (await self.stack.admin.sweep(**wanted, shares_micros=shares_micros))["orders"]
        return [str(order["order_hash"]) for order in placed if order["trader"] == trader]

    async def trades_may_be_old(self) -> None:
        """Whatever has to be waited for on a slow machine, a trade is copied: past what control would say of it."""
        for account in await self.stores.accounts.all():
            limits = replace(account.limits, max_trade_age_ms=600_000)
            changed = await self.stores.accounts.change(
                account.account_id, lambda known, limits=limits: replace(known, limits=limits, seq=known.seq + 1)
            )
            assert changed is not None

    async def books(self) -> Books:
        return await books.read(self.stores)

    async def log(self) -> VenueLog:
        """What the venue says of the leaders and of us."""
        wallets = [wallet.address for wallet in self.stack.wallets]
        return venue_log.read(await self.stack.admin.journal(), wallets)

    async def copies(self, leaders_order: str) -> tuple[Copy, ...]:
        """Our copies of one order of a leader."""
        return tuple(copy for copy in (await self.books()).trades if copy.trade.order_hash == leaders_order)

    async def copied(self, leaders_order: str, within_s: float = PATIENT_S) -> Copy:
        """The one copy of a leader's order, once it has ended."""

        async def ended() -> Copy | None:
            found = await self.copies(leaders_order)
            return found[0] if found and all(copy.state in TERMINAL for copy in found) else None

        copy = await eventually(ended, within_s)
        assert len(await self.copies(leaders_order)) == 1
        return copy

    async def position_micros(self, token_id: str) -> int:
        """Our settled shares of a token, over all accounts."""
        return sum(one.shares_micros for one in (await self.books()).positions if one.token_id == token_id)

    async def exits(self) -> tuple[Copy, ...]:
        """The attempts to sell what exits owe."""
        return tuple(copy for copy in (await self.books()).copies if copy.kind is CopyKind.EXIT)

    async def at_rest(self, within_s: float = PATIENT_S) -> dict[str, Any]:
        """The summary once every leader's fill has a copy and every copy has ended, after a comparison of the books."""

        async def ended() -> dict[str, Any] | None:
            found = await self.summary()
            return found if found["detected"] >= found["leader_trades"] and not found["open"] else None

        await eventually(ended, within_s)
        await self.compare()
        return await self.summary()

    async def summary(self) -> dict[str, Any]:
        """What `polycopy demo` would report now."""
        seed = self.stack.options.seed
        return summary(await self.books(), await self.log(), seed=seed, version="test", config_hash="")

    async def compare(self) -> None:
        target, tls = self.stack.addresses.target("reconciler"), self.stack.shown_to("reconciler")
        async with wire.channel(target, [RECONCILER], tls) as channel:
            stub = reconciler_pb2_grpc.ReconcilerServiceStub(channel)
            await stub.RunReconciliation(reconciler_pb2.RunReconciliationRequest(), timeout=PATIENT_S)

    async def restart(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """End a service and start it again, with other settings, until it serves."""
        await self.stack.children[name].stop()
        await self.start(name, env)

    async def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Start a service that has ended, and wait until it serves."""
        usual = dict(self.stack.options.env)
        self.stack.options.env.update(env or {})
        try:
            await self.stack.serve(name)
        finally:
            self.stack.options.env.clear()
            self.stack.options.env.update(usual)
        await eventually(lambda: self.serving(name))

    async def serving(self, name: str) -> bool:
        """The service's own health check says that it can work."""
        return await self.stack.is_serving(name)

    async def health(self) -> dict[str, Any]:
        """What the gateway's `/health` says."""
        return (await self._asked("/health")).json()["data"]

    async def ready(self) -> bool:
        """Everything that the gateway needs is up, by its own word."""
        return (await self._asked("/health/ready")).is_success

    async def _asked(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.stack.addresses.api_url, timeout=PATIENT_S) as http:
            return await http.get(path)


@asynccontextmanager
async def mesh(
    folder: Path,
    *,
    block_ms: int = 500,
    venue: tuple[str, ...] = (),
    wallets: int = 1,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Mesh]:
    """A mesh that is ready; nothing of it is left behind. `env` are further settings of its services."""
    options = Options(
        folder, Addresses.free(), block_ms=block_ms, venue=venue, wallets=wallets, env={**QUICK, **(env or {})}
    )
    stack = Stack(options)
    try:
        await stack.start()
        async with books.opened(stack.mongodb_uri) as stores:
            yield Mesh(stack, stores)
    finally:
        await stack.stop()


async def eventually(look: Callable[[], Awaitable[T | None]], within_s: float = PATIENT_S) -> T:
    """What `look` finds once it finds something; TimeoutError where it never does."""
    async with asyncio.timeout(within_s):
        while not (found := await look()):  # noqa: ASYNC110  what is waited for happens in other processes
            await asyncio.sleep(LOOK_S)
    return found
