"""A mesh whose processes may be struck at their crash points, and what its leader and its operator do meanwhile."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from services.cli import operator
from services.cli.child import Child, free_port, start
from services.cli.failure import CannotRun
from services.cli.stack import is_serving
from services.common.domain.account import Account
from services.common.domain.copy import Copy
from services.common.domain.follow import Policy
from services.common.domain.lifecycle import TERMINAL, CopyState
from tests.mesh import SHARE, Mesh, eventually, mesh

LEASE = timedelta(seconds=2)
LIFETIME = timedelta(seconds=2)
PATIENT = timedelta(seconds=100)
"""As long as an order may live; the signer allows little more."""

LOOK_AGAIN = timedelta(seconds=0.5)
GIVE_UP = timedelta(seconds=0.5)
CALL_S = 30.0
APART = 3
"""The market in which leaders also sell; the purchases of the other scenes are in those before it."""

WAITS = {
    "ENGINE_LEASE_MS": "2000",
    "ENGINE_RESEND_MS": "400",
    "ENGINE_LOOK_AGAIN_MS": "500",
    "ENGINE_GIVE_UP_MS": "500",
    "ENGINE_BRAKE_MS": "100",
    "MONITOR_SWEEP_MS": "500",
    "MONITOR_ROSTER_MS": "300",
    "RECONCILER_SETTLE_MS": "300",
    "RECONCILER_LEASE_MS": "2000",
    "RECONCILER_COMPARE_MS": "1000",
}


@dataclass
class Scene:
    """A mesh whose processes may be struck. `strict` holds recoveries to their time, and not to thrice that: so by night, where the machine
    has nothing else to do. `given_up` are the leaders' orders whose copies never arrive at the venue."""

    running: Mesh
    trap: Path
    strict: bool
    given_up: set[str] = field(default_factory=set[str])
    spares: dict[str, Child] = field(default_factory=dict[str, Child])
    calls: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    numbers: "count[int]" = field(default_factory=count)

    def child(self, service: str) -> Child:
        return self.running.stack.children[service]

    def arm(self, plan: str) -> None:
        """Whoever passes there next is struck."""
        written = self.trap.with_suffix(".new")
        written.write_text(plan)
        written.rename(self.trap)

    def disarm(self) -> None:
        self.trap.unlink(missing_ok=True)

    async def buys(self) -> str:
        """Some leader buys in some market."""
        leader, market = self._place()
        return await self.running.take(leader, market, shares_micros=40 * SHARE)

    async def buys_twice(self) -> str:
        """A leader buys by two orders of one transaction; the one that comes first in it."""
        leader, market = self._place()
        orders = await self.running.rest(leader, market, orders=2)

        async def seen() -> list[Copy] | None:
            copies = [copy for order in orders for copy in await self.running.copies(order)]
            return copies if len(copies) == len(orders) else None

        seen_copies = await eventually(seen)
        return min(seen_copies, key=lambda copy: copy.trade.log_index).trade.order_hash

    async def sells(self, arm: Callable[[], None]) -> str:
        """A leader buys what nobody else trades in; once that is copied and settled, he sells half of what he has."""
        # Nor in its complement: an order that was given up there bars us from buying this one for a while.
        leader, _ = self._place()
        bought = await self.running.take(leader, APART, shares_micros=60 * SHARE)
        assert (await self.running.copied(bought)).state is CopyState.RECONCILED
        arm()
        return await self.running.take(leader, APART, side="SELL", fraction_bps=5_000)

    def _place(self) -> tuple[str, int]:
        number = next(self.numbers)
        return f"leader-{number % 3 + 1}", number // 3 % APART

    async def fault(self, kind: str, **more: object) -> None:
        """The next order, or as many as it says, meets this."""
        await self.running.stack.admin.fault(endpoint="clob.post_order", kind=kind, **more)

    async def over(self, order: str, ends: frozenset[CopyState]) -> Copy:
        """The one copy of a leader's order, once it has come to what it may, or to an end."""

        async def found() -> Copy | None:
            copies = await self.running.copies(order)
            return copies[0] if copies and all(copy.state in ends | TERMINAL for copy in copies) else None

        return await eventually(found)

    async def account(self) -> Account:
        (account,) = await self.running.stores.accounts.all()
        return account

    async def lifetime(self, lifetime: timedelta) -> None:
        """How long an order may be on its way; what has to be left of it when it is sent follows."""
        lasts_ms = int(lifetime.total_seconds() * 1000)

        def changed(account: Account) -> Account:
            # Past what control would say of it: a longer life of orders would have to wait for a day.
            limits = replace(
                account.limits,
                intent_lifetime_ms=lasts_ms,
                send_budget_ms=min(5_000, lasts_ms // 3),
                max_trade_age_ms=600_000,
            )
            return replace(account, limits=limits, seq=account.seq + 1)

        changed_account = await self.running.stores.accounts.change((await self.account()).account_id, changed)
        assert changed_account is not None

    async def policy(self, change: Callable[[Policy], Policy]) -> None:
        """Follow every leader by another policy, and wait until the monitor has read it."""
        follows = self.running.stores.follows
        for one in await follows.all():
            assert await follows.change(one.follow_id, lambda follow: replace(follow, policy=change(follow.policy)))
        await asyncio.sleep(1)

    def call(self, ask: Callable[[Any, float], Awaitable[object]]) -> "asyncio.Task[None]":
        """Ask something of the engine; where it dies over it there is no answer."""
        calling = asyncio.create_task(self._call(ask))
        self.calls.add(calling)
        calling.add_done_callback(self.calls.discard)
        return calling

    async def _call(self, ask: Callable[[Any, float], Awaitable[object]]) -> None:
        try:
            async with operator.engine(self.running.stack.addresses.target("engine")) as stub:
                await ask(stub, CALL_S)
        except CannotRun as error:
            if "no engine answers" not in str(error):
                raise

    async def spare(self, service: str) -> Child:
        """A second process of a service, frozen until it is needed."""
        if service not in self.spares:
            port, stack = free_port(), self.running.stack
            listens = {f"{service.upper()}_LISTEN": f"127.0.0.1:{port}", "POLYCOPY_CRASH": ""}
            log = stack.options.folder / f"{service}-2.log"
            command = [sys.executable, "-m", f"services.{service}"]
            child = self.spares[service] = await start(
                f"{service}-2", command, log, stack.environment(service) | listens
            )
            await eventually(lambda: is_serving(f"127.0.0.1:{port}"))
            child.send(signal.SIGSTOP)
        return self.spares[service]


@asynccontextmanager
async def scene(folder: Path, *, strict: bool) -> AsyncIterator[Scene]:
    """A mesh with short waits, whose orders and trades may be old: machines that test are slow."""
    trap = folder / "crash"
    async with mesh(folder, env=WAITS | {"POLYCOPY_CRASH": f"@{trap}"}) as running:
        made = Scene(running, trap, strict)
        try:
            await made.lifetime(PATIENT)
            yield made
        finally:
            await asyncio.gather(*(spare.kill() for spare in made.spares.values()))


def now() -> datetime:
    return datetime.now(UTC)
