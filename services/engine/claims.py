"""A claim on one copy: its lease is renewed while the work lasts, and bytes leave only while it is fresh."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from services.common.domain.copy import Copy, CopyRef
from services.common.ports.clock import Clock
from services.common.ports.stores import Copies, StoreUnavailable
from services.engine.timing import Timing

log = structlog.get_logger()


class Claim:
    """What a worker holds of a copy. `since` is the monotonic time just before the copy was claimed."""

    def __init__(self, ref: CopyRef, since: float, clock: Clock, timing: Timing) -> None:
        self.ref = ref
        self.lost = False
        self.given_back = False
        self._clock = clock
        self._timing = timing
        self._lease_ends = since + timing.lease.total_seconds()
        self._journaled_at: float | None = None

    def now(self) -> float:
        """The monotonic time."""
        return self._clock.monotonic()

    def journaled(self, asked: float) -> None:
        """A write that journaled an attempt under this fence was asked for at `asked`, and has been acknowledged since.

        It may have stood from then on: what came after it, a stop above all, came before its answer.
        """
        self._journaled_at = asked

    @property
    def leave_by(self) -> float | None:
        """Until when bytes may leave: while the journaling write is fresh and the lease stands. None where that is over: a process that
        was frozen in between goes to the resend path."""
        if self.lost or self._journaled_at is None:
            return None
        until = min(self._journaled_at + self._timing.fresh.total_seconds(), self._lease_ends)
        return until if self.now() < until else None

    async def keep(self, copies: Copies) -> None:
        """Renew until cancelled, or until another has the copy."""
        while not self.lost:
            await self._clock.sleep(self._timing.renew_every)
            asked = self._clock.monotonic()
            try:
                self.lost = not await copies.renew(self.ref, self._timing.lease)
            except StoreUnavailable:
                log.warning("renewal_unanswered", copy=self.ref.copy_id)
                continue
            self._lease_ends = asked + self._timing.lease.total_seconds()


@asynccontextmanager
async def held(copies: Copies, copy: Copy, since: float, clock: Clock, timing: Timing) -> AsyncGenerator[Claim]:
    """The claim on `copy` for as long as the work on it lasts."""
    claim = Claim(copy.ref, since, clock, timing)
    keeper = asyncio.create_task(claim.keep(copies))
    try:
        yield claim
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
