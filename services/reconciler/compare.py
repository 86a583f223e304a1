"""One comparison of an account's books with the chain and the Data API, kept as a result."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge

from services.common.crashpoints import crashpoint
from services.common.domain.account import Account, ExposureChange
from services.common.domain.exposure import opening
from services.common.domain.fill import Discrepancy, Position, ReconciliationResult
from services.common.domain.money import MICRO, mul_div
from services.common.ports.chain import Chain, ChainUnavailable
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.ports.venue import Activity, Markets, VenueUnavailable
from services.reconciler import diff
from services.reconciler.under_way import moving

log = structlog.get_logger()

RUNS = Counter("polycopy_reconciler_runs_total", "Comparisons, by whether every source answered", ["complete"])
DISCREPANCIES = Gauge(
    "polycopy_reconciler_discrepancies", "Tokens on which a source disagreed in the last run", ["account"]
)


@dataclass(frozen=True, slots=True)
class Final:
    """What a wallet has at the end of a finalized block: its cash, and its shares by token."""

    block: int
    cash_micros: int
    shares: Mapping[str, int]


class Comparison:
    """Compares one account. `api_lag` is how long the Data API may take to show a change (venue.md 5.4)."""

    def __init__(
        self,
        account: Account,
        stores: Stores,
        chain: Chain,
        activity: Activity,
        markets: Markets,
        clock: Clock,
        *,
        api_lag: timedelta,
    ) -> None:
        self._account = account
        self._stores = stores
        self._chain = chain
        self._activity = activity
        self._markets = markets
        self._clock = clock
        self._api_lag = api_lag
        self._opened: date | None = None

    async def run(self, settled: int) -> ReconciliationResult:
        """Compare now and keep the result. Raises `StoreUnavailable`; a source that is away makes the result incomplete."""
        started = self._clock.now()
        # First what is under way, then the books: what settles in between is left out or is in both.
        busy = await moving(self._stores, self._account.account_id)
        positions = await self._stores.positions.of([self._account.account_id])
        # Shares that pay nothing are off the books, and lie in the wallet for ever.
        busy |= {position.token_id for position in positions if position.payout_micros == 0}
        ours = {position.token_id: position.shares_micros for position in positions}
        final = await self._final(ours)
        on_chain = None if final is None else diff.with_chain(_without(ours, busy), _without(final.shares, busy))
        on_api = await self._with_data_api(ours, busy | self._recent(positions, started))
        marks = await self._mark(positions)
        if final is not None:
            await self._raise_best(ours, final, marks)
        await self._open_day(marks)
        away = tuple(name for name, found in ((diff.CHAIN, on_chain), (diff.DATA_API, on_api)) if found is None)
        result = ReconciliationResult(
            result_id=_id(self._account.account_id, started),
            account_id=self._account.account_id,
            started_at=started,
            finished_at=self._clock.now(),
            positions_checked=len(ours),
            discrepancies=(*(on_chain or ()), *(on_api or ())),
            settled=settled,
            complete=not away,
            block_number=final.block if final else None,
            unreachable=away,
        )
        crashpoint("mid_reconcile")
        await self._stores.results.add(result)
        self._tell(result)
        return result

    def _recent(self, positions: Sequence[Position], now: datetime) -> set[str]:
        return {position.token_id for position in positions if now - position.updated_at < self._api_lag}

    async def _final(self, ours: Mapping[str, int]) -> Final | None:
        """What the chain has of cash and of these tokens at its finalized block; None while it is away."""
        wallet = self._account.wallet
        try:
            block = (await self._chain.head()).finalized
            cash, *balances = await asyncio.gather(
                self._chain.collateral_balance(wallet, block),
                *(self._chain.token_balance(wallet, token, block) for token in ours),
            )
        except ChainUnavailable:
            return None
        return Final(block, cash, dict(zip(ours, balances, strict=True)))

    async def _with_data_api(self, ours: Mapping[str, int], waiting: set[str]) -> tuple[Discrepancy, ...] | None:
        try:
            reported = await self._activity.positions(self._account.wallet)
        except VenueUnavailable:
            return None
        return diff.with_data_api(ours, {position.token_id: position.shares_micros for position in reported}, waiting)

    async def _mark(self, positions: Sequence[Position]) -> Mapping[str, int]:
        """Note the last known prices, by token; one that is not known stays as it was, and is not in what is given back."""
        marks: dict[str, int] = {}
        for position in positions:
            mark = await self._worth(position.token_id) if position.shares_micros else position.mark_micros
            if mark is not None and mark != position.mark_micros:
                await self._stores.positions.mark(self._account.account_id, position.token_id, mark, self._clock.now())
            if mark is not None:
                marks[position.token_id] = mark
        return marks

    async def _raise_best(self, ours: Mapping[str, int], final: Final, marks: Mapping[str, int]) -> None:
        """Note the account's highest equity: its cash and its tokens, each at the end of one and the same block.

        What has been sold or paid out by then, and is on the books still, counts as cash alone: a best that never was would hold
        entries back for ever. What has come and is not booked yet does not count.
        """
        held = {token: min(shares, final.shares[token]) for token, shares in ours.items()}
        equity = final.cash_micros + sum(mul_div(shares, marks.get(token, 0), MICRO) for token, shares in held.items())
        await self._stores.accounts.apply(
            self._account.account_id, ExposureChange(self._clock.now(), high_water_micros=equity)
        )

    async def _open_day(self, marks: Mapping[str, int]) -> None:
        """Note once what the account's holdings had lost when the day began. Where one of them has no mark, the next comparison does."""
        if self._opened == self._clock.now().date():
            return
        # The day is the guards': the database's.
        now, account = await self._stores.now(), await self._stores.accounts.get(self._account.account_id)
        lost = None if account is None else opening(account.exposure, marks, now)
        if lost is not None:
            await self._stores.accounts.apply(self._account.account_id, ExposureChange(now, opening_micros=lost))
            self._opened = now.date()

    async def _worth(self, token_id: str) -> int | None:
        """What a share pays, where that is certain, else what its book says."""
        try:
            market = await self._markets.by_token(token_id)
            if market is not None and market.payouts is not None:
                return market.payout(token_id)
            book = await self._markets.book(token_id)
        except VenueUnavailable:
            return None
        return book.worth_micros if book else None

    def _tell(self, result: ReconciliationResult) -> None:
        RUNS.labels(str(result.complete).lower()).inc()
        DISCREPANCIES.labels(self._account.account_id).set(len(result.discrepancies))
        if result.discrepancies:
            log.error(
                "books_disagree",
                account=self._account.account_id,
                tokens=[item.token_id for item in result.discrepancies],
            )


def _without(shares: Mapping[str, int], busy: set[str]) -> dict[str, int]:
    return {token: amount for token, amount in shares.items() if token not in busy}


def _id(account_id: str, started: datetime) -> str:
    return hashlib.sha256(f"{account_id}|{started.isoformat()}".encode()).hexdigest()[:32]
