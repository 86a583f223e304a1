"""Follows every match to its end: CONFIRMED and finalized, or FAILED. The reconciler's half of a copy's life."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from prometheus_client import Counter

from services.common.crashpoints import crashpoint
from services.common.domain.account import Account, ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.fill import Fill, LedgerLine, Position, TradeStatus
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market
from services.common.ports.chain import Chain, ChainUnavailable, FillLog
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.ports.venue import Clob, Markets, VenueTrade, VenueUnavailable
from services.reconciler import ledger
from services.reconciler.evidence import Settled, are_over, latest, weigh
from services.reconciler.overdue import Overdue

log = structlog.get_logger()

SETTLED = Counter("polycopy_reconciler_settled_total", "Copies settled, by the state they ended in", ["state"])
REVIEWS = Counter("polycopy_reconciler_reviews_total", "Copies that a human has to look at")

StillMine = Callable[[], Awaitable[bool]]
"""Whether this process may still write the account's books."""

AT_ONCE = 50
FAILURES_AT_MOST = 3


class Settler:
    """Settles the copies of one account, one after the other: their positions are written by nobody else."""

    def __init__(
        self, account: Account, stores: Stores, clob: Clob, chain: Chain, markets: Markets, clock: Clock
    ) -> None:
        self._account = account
        self._stores = stores
        self._clob = clob
        self._chain = chain
        self._markets = markets
        self._clock = clock
        self._seen_at: dict[str, int] = {}
        self._overdue = Overdue(account.account_id)

    async def turn(self, still_mine: StillMine, *, anew: bool = False) -> int:
        """Look at every unsettled copy once, for as long as this process may; how many were settled. Raises `StoreUnavailable`.

        Nothing settles before a further block is final, so a copy is looked at once for each; `anew` looks at all of them now.
        """
        copies = await self._stores.copies.unsettled(self._account.account_id, AT_ONCE)
        self._overdue.see(copies, self._clock.now())
        finalized = await self._finalized() if copies else None
        if finalized is None:
            await self._end_watches(still_mine)
            return 0
        self._seen_at = {copy.copy_id: self._seen_at.get(copy.copy_id, -1) for copy in copies}
        settled = failures = 0
        for copy in copies:
            if self._seen_at[copy.copy_id] == finalized and not anew:
                continue
            if failures >= FAILURES_AT_MOST or not await still_mine():
                break
            # Before it is looked at: one that cannot be read goes behind the others.
            await self._stores.copies.touch(copy.copy_id, self._clock.now())
            try:
                settled += await self._look(copy, finalized, still_mine)
                self._seen_at[copy.copy_id] = finalized
            except (VenueUnavailable, ChainUnavailable) as error:
                failures += 1
                log.warning("look_failed", copy=copy.copy_id, error=type(error).__name__, text=str(error)[:200])
        await self._end_watches(still_mine)
        return settled

    async def _end_watches(self, still_mine: StillMine) -> None:
        """What was presumed dead and never filled while it was watched is dead: its cash is free again."""
        for copy in await self._stores.copies.unwatched(self._account.account_id, AT_ONCE):
            try:
                trades, logs = await self._trades(copy), await self._logs(copy)
            except (VenueUnavailable, ChainUnavailable):
                # Nobody has said that it never filled.
                return
            if not await still_mine():
                return
            if not await self._revive(copy, trades, logs):
                now = self._clock.now()
                dropped = ExposureChange(now, drop=copy.copy_id)
                await self._stores.copies.close_watch(copy.copy_id, copy.fence, dropped, now)
                log.warning("watch_over", copy=copy.copy_id)

    async def _finalized(self) -> int | None:
        try:
            return (await self._chain.head()).finalized
        except ChainUnavailable as error:
            log.warning("chain_away", text=str(error)[:200])
            return None

    async def _look(self, copy: Copy, finalized: int, still_mine: StillMine) -> bool:
        trades = await self._trades(copy)
        if copy.state is CopyState.FAILED:
            return await self._revive(copy, trades, await self._logs(copy))
        if not trades or not are_over(trades):
            return False
        weighed = weigh(copy, trades, await self._logs(copy), finalized)
        # What follows reads a position and writes it back: nobody else may, and the answers may have been long in coming.
        return isinstance(weighed, Settled) and await still_mine() and await self._settle(copy, weighed)

    async def _trades(self, copy: Copy) -> tuple[VenueTrade, ...]:
        found = [
            await self._clob.trades(order_hash, copy.trade.token_id, copy.ordered_at)
            for order_hash in copy.order_hashes
        ]
        return latest([trade for trades in found for trade in trades])

    async def _logs(self, copy: Copy) -> tuple[FillLog, ...]:
        found = [
            await self._chain.fills_of_order(order_hash, copy.trade.block_number) for order_hash in copy.order_hashes
        ]
        return tuple(fill for fills in found for fill in fills)

    async def _revive(self, copy: Copy, trades: Sequence[VenueTrade], logs: Sequence[FillLog]) -> bool:
        """A copy that was given up has filled after all, by the venue's word or the chain's: it is executed again, and flagged."""
        now = self._clock.now()
        trades = [trade for trade in trades if trade.status is not TradeStatus.FAILED]
        fills = [log.fill for log in logs if not log.removed]
        if not trades and not fills:
            return False
        if trades:
            shares = sum(trade.shares_micros for trade in trades)
            paid = sum(trade.shares_micros * trade.price_micros // 1_000_000 for trade in trades)
        else:
            shares, paid = sum(fill.shares_micros for fill in fills), sum(fill.usdc_micros for fill in fills)
        REVIEWS.inc()
        log.error("late_fill", copy=copy.copy_id, shares_micros=shares)
        return await self._write(
            copy, CopyState.EXECUTED, (), (), (), (shares, paid, 0), ExposureChange(now), review=True
        )

    async def _settle(self, copy: Copy, settled: Settled) -> bool:
        now = self._clock.now()
        market = await self._market(copy)
        position, lines, change = await self._book(copy, settled.confirmed, market, now)
        shares = sum(fill.shares_micros for fill in settled.confirmed)
        usdc = sum(fill.usdc_micros for fill in settled.confirmed)
        fee = sum(fill.fee_micros for fill in settled.confirmed)
        state = CopyState.RECONCILED if shares else CopyState.FAILED
        if settled.partly_failed:
            REVIEWS.inc()
        done = await self._write(
            copy, state, settled.fills, lines, position, (shares, usdc, fee), change, review=settled.partly_failed
        )
        if done:
            SETTLED.labels(state).inc()
        return done

    async def _book(
        self, copy: Copy, fills: Sequence[Fill], market: Market | None, now: datetime
    ) -> tuple[tuple[Position, ...], tuple[LedgerLine, ...], ExposureChange]:
        change = ExposureChange(now, drop=copy.copy_id)
        if not fills:
            return (), (), change
        position = await self._stores.positions.get(self._account.account_id, copy.trade.token_id)
        position = position or ledger.fresh(self._account, copy, fills[0].condition_id, market, now)
        lines: list[LedgerLine] = []
        for fill in fills:
            booked = ledger.book(position, fill, market.event_id if market else position.event_id, now)
            position, held = booked.position, booked.held
            lines.append(booked.line)
            total = change.held or replace(held, shares_micros=0, cost_micros=0)
            change = replace(
                change,
                held=replace(
                    held,
                    shares_micros=total.shares_micros + held.shares_micros,
                    cost_micros=total.cost_micros + held.cost_micros,
                ),
                lost_micros=change.lost_micros - booked.line.realized_micros,
            )
        return (position,), tuple(lines), change

    async def _write(
        self,
        copy: Copy,
        state: CopyState,
        fills: Sequence[Fill],
        lines: Sequence[LedgerLine],
        positions: Sequence[Position],
        sums: tuple[int, int, int],
        change: ExposureChange,
        *,
        review: bool,
    ) -> bool:
        shares, usdc, fee = sums
        now = self._clock.now()
        crashpoint("mid_settle")
        done = await self._stores.copies.settle(
            copy.copy_id,
            copy.fence,
            state,
            fills,
            lines,
            positions,
            shares,
            usdc,
            fee,
            change,
            copy.needs_review or review,
            now,
        )
        crashpoint("after_settle")
        return done

    async def _market(self, copy: Copy) -> Market | None:
        # Names only: a market that cannot be read now must not hold a settlement up.
        try:
            return await self._markets.by_token(copy.trade.token_id)
        except VenueUnavailable:
            return None
