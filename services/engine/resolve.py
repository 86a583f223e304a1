"""What became of an order whose answer is not known: look it up, send the same bytes again, or give up loudly (orders.md 5.8, 5.9)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain.control import Standing
from services.common.domain.copy import Copy
from services.common.domain.intent import DEFINITIVE, Attempt, Intent, Outcome
from services.common.domain.money import MICRO, mul_div
from services.common.ports.chain import Chain, ChainUnavailable, OrderStatus
from services.common.ports.stores import Stores
from services.common.ports.venue import Clob, Feed, OpenOrder, VenueUnavailable
from services.engine import evidence, metrics
from services.engine.claims import Claim
from services.engine.evidence import Match
from services.engine.executor import Executor
from services.engine.generation import may_resend, wait_after
from services.engine.lookout import Lookout
from services.engine.timing import Timing

log = structlog.get_logger()


class Look(Enum):
    """What a look-up found where it found no amounts.

    `EMPTY`: every source answered, and none knows of a match. `TRACES`: one says that it matched, but not yet how much.
    `BLIND`: a source did not answer, so nothing was proven.
    """

    EMPTY = auto()
    TRACES = auto()
    BLIND = auto()


@dataclass(frozen=True, slots=True)
class Found:
    """What the venue's order and the exchange say besides trades and logs."""

    order: OpenOrder | None
    status: OrderStatus

    def traces(self, intent: Intent) -> bool:
        """Either says that something of the order was filled."""
        touched = self.status.filled or 0 < self.status.remaining < intent.fields.maker_amount
        return touched or self.matched_micros > 0

    @property
    def matched_micros(self) -> int:
        return self.order.matched_micros if self.order else 0


class Resolver:
    """One turn on a copy that is executing: every turn ends with a write that says when the next is due."""

    def __init__(
        self,
        stores: Stores,
        clob: Clob,
        chain: Chain,
        executor: Executor,
        lookout: Lookout,
        timing: Timing,
        may_resend_now: Callable[[Copy], Awaitable[Standing | None]],
        feed: Feed | None = None,
    ) -> None:
        self._feed = feed
        self._stores = stores
        self._clob = clob
        self._chain = chain
        self._executor = executor
        self._lookout = lookout
        self._timing = timing
        self._may_resend_now = may_resend_now

    async def resume(self, claim: Claim, copy: Copy) -> None:
        """Go on with a copy whose last worker stopped, was unsure, or died."""
        if copy.intent is None:
            return
        intent = await self._concluded(claim, copy.intent)
        crashpoint("mid_resolve")
        if not evidence.left_the_host(intent):
            await self._again(claim, copy, intent, looked=False)
            return
        found = await self._look(copy, intent)
        if isinstance(found, Match):
            log.info("order_found", copy=copy.copy_id, order=intent.order_hash, shares_micros=found.shares_micros)
            await self._executor.execute(claim, copy, None, found)
        elif found is Look.EMPTY:
            await self._nothing(claim, copy, intent)
        else:
            await self._stores.copies.looked(claim.ref, False, self._rest(intent), self._lookout.now())

    async def _concluded(self, claim: Claim, intent: Intent) -> Intent:
        """The intent with an open attempt judged: nobody knows whether its bytes have left, signed or not."""
        last = intent.attempts[-1]
        if last.outcome is not Outcome.OPEN:
            return intent
        judged = replace(last, outcome=Outcome.UNKNOWN, code="no_answer")
        await self._stores.copies.record(claim.ref, judged, None, self._lookout.now())
        return replace(intent, attempts=(*intent.attempts[:-1], judged))

    async def _look(self, copy: Copy, intent: Intent) -> Match | Look:
        order_hash, since = intent.order_hash, copy.trade.block_number
        try:
            order, trades, logs, status = await asyncio.gather(
                self._clob.order(order_hash),
                self._clob.trades(order_hash, intent.fields.token_id, copy.ordered_at),
                self._chain.fills_of_order(order_hash, since),
                self._chain.order_status(intent.fields.exchange, order_hash),
            )
        except (VenueUnavailable, ChainUnavailable) as error:
            log.warning("look_up_failed", copy=copy.copy_id, error=type(error).__name__, text=str(error)[:200])
            return Look.BLIND
        heard = self._feed.trades(order_hash) if self._feed else ()
        # Of a trade that both tell of, the look-up's word is the later one.
        known = {trade.trade_id: trade for trade in (*heard, *trades)}
        match = evidence.of_trades(tuple(known.values())) or evidence.of_logs(logs)
        if match is not None:
            return match
        found = Found(order, status)
        if not found.traces(intent):
            # A channel that was lost may have missed what would have been told.
            return Look.EMPTY if self._feed is None or self._feed.live else Look.BLIND
        overdue = self._lookout.now() >= intent.deadline_at + self._timing.look_again
        return _from_order(found, intent) if overdue and found.matched_micros else Look.TRACES

    async def _nothing(self, claim: Claim, copy: Copy, intent: Intent) -> None:
        if all(one.outcome in DEFINITIVE and not evidence.has_arrived(one) for one in intent.attempts):
            await self._executor.fail(claim, copy, intent, None, "rejected")
        elif self._lookout.now() < intent.deadline_at:
            await self._again(claim, copy, intent, looked=True)
        elif self._is_hopeless(intent):
            await self._give_up(claim, copy)
        else:
            await self._stores.copies.looked(claim.ref, True, self._timing.look_again, self._lookout.now())

    async def _again(self, claim: Claim, copy: Copy, intent: Intent, *, looked: bool) -> None:
        """Send the same bytes once more, if that is allowed and can still help."""
        if self._lookout.now() >= intent.deadline_at and not looked:
            await self._executor.fail(claim, copy, intent, None, "not_sent")
            return
        arrived = any(map(evidence.has_arrived, intent.attempts))
        helps = not arrived and may_resend(intent, self._timing.most_attempts)
        standing = await self._may_resend_now(copy) if helps else None
        if standing is None:
            await self._stores.copies.looked(claim.ref, False, self._rest(intent), self._lookout.now())
            return
        crashpoint("before_resend")
        now, asked = self._lookout.now(), claim.now()
        attempt = Attempt(len(intent.attempts) + 1, now)
        if now >= intent.deadline_at or not await self._stores.copies.journal(claim.ref, attempt, now, standing):
            await self._stores.copies.looked(claim.ref, False, self._rest(intent), now)
            return
        claim.journaled(asked)
        crashpoint("after_resend_journaled")
        again = replace(intent, attempts=(*intent.attempts, attempt))
        await self._executor.send(claim, replace(copy, intent=again), again)

    def _is_hopeless(self, intent: Intent) -> bool:
        """This look-up and one long enough before it found nothing, with every source reachable, well after the deadline."""
        now = self._lookout.now()
        if intent.looked_at is None or intent.empty_looks < 1 or now < intent.deadline_at + self._timing.give_up_after:
            return False
        return now - intent.looked_at >= self._timing.look_again

    async def _give_up(self, claim: Claim, copy: Copy) -> None:
        now = self._lookout.now()
        crashpoint("before_presumed_dead")
        log.error("order_presumed_dead", copy=copy.copy_id, order=copy.intent.order_hash if copy.intent else "")
        until = now + self._timing.watch_for
        if await self._stores.copies.fail(claim.ref, None, "presumed_dead", True, False, None, until, now):
            metrics.ENDS.labels("presumed_dead").inc()
        crashpoint("after_presumed_dead")

    def _rest(self, intent: Intent) -> timedelta:
        """How long until the next look; short before the deadline, long after it."""
        left = intent.deadline_at - self._lookout.now()
        if left <= timedelta(0):
            return self._timing.look_again
        return min(wait_after(len(intent.attempts), self._timing.resend_after), left)


def _from_order(found: Found, intent: Intent) -> Match:
    """The venue's own count, at the worst price that the order could take; for where trades never showed."""
    shares = found.matched_micros
    return Match(shares, min(mul_div(shares, intent.limit_micros, MICRO), intent.usdc_micros))
