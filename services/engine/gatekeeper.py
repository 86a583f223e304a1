"""Reads what the gate judges (guards.md, first table). What cannot be read is not known, and keeps the gate closed."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, cast

import structlog

from services.common.domain.account import Account
from services.common.domain.copy import Copy
from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade
from services.common.domain.verdict import Verdict
from services.common.ports.chain import Chain, ChainUnavailable, Head
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.ports.venue import Clob, VenueUnavailable
from services.engine import evidence, gate
from services.engine.breaker import Breaker
from services.engine.gate import Admission
from services.engine.process_facts import GateLimits, Incident, ProcessFacts, Trouble
from services.engine.warm import Warm, read_together

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE_S = 3.0
ACCOUNT_KEPT = timedelta(seconds=2)
JUDGED_KEPT = timedelta(seconds=3)
SURROUNDINGS_KEPT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every account of a process shares; None is not known. Skews: the local clock less the other."""

    database_skew: timedelta | None = None
    venue_skew: timedelta | None = None
    head: Head | None = None


class Lookout:
    """Reads the surroundings; one for all accounts of a process."""

    def __init__(self, stores: Stores, clob: Clob, chain: Chain, breaker: Breaker, clock: Clock) -> None:
        self._stores = stores
        self._clob = clob
        self._chain = chain
        self._breaker = breaker
        self._clock = clock
        self.known = Warm(self._read, SURROUNDINGS_KEPT, clock)
        self._skew = timedelta(0)

    async def around(self) -> Surroundings:
        """What is known, a few seconds old at most."""
        return await self.known.get()

    async def refresh(self) -> Surroundings:
        """Read everything now."""
        return await self.known.refresh()

    def now(self) -> datetime:
        """The database's clock, as far as it is known."""
        return self._clock.now() - self._skew

    async def _read(self) -> Surroundings:
        database, venue, head = await asyncio.gather(
            _or_unknown(self._database_skew()), self._venue_skew(), _or_unknown(self._chain.head())
        )
        if database is not None:
            self._skew = database
        return Surroundings(database, venue, head)

    async def _database_skew(self) -> timedelta:
        before = self._clock.now()
        theirs = await self._stores.now()
        return before + (self._clock.now() - before) / 2 - theirs

    async def _venue_skew(self) -> timedelta | None:
        # This read is also the breaker's probe.
        before = self._clock.now()
        theirs = await _or_unknown(self._clob.server_time())
        if theirs is None:
            self._breaker.fault()
            return None
        self._breaker.read()
        ours = before + (self._clock.now() - before) / 2
        return ours.replace(microsecond=0) - theirs.replace(microsecond=0)


async def _or_unknown(reading: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reading
    except (StoreUnavailable, VenueUnavailable, ChainUnavailable, TimeoutError) as error:
        log.warning("fact_unknown", error=type(error).__name__, text=str(error)[:200])
        return None


class Gatekeeper:
    """Says what one account may claim."""

    def __init__(
        self,
        account_id: str,
        stores: Stores,
        lookout: Lookout,
        breaker: Breaker,
        clock: Clock,
        *,
        engine_version: str,
        chain_id: int,
        exchange_known: bool = True,
        limits: GateLimits | None = None,
    ) -> None:
        self._account_id = account_id
        self._stores = stores
        self._lookout = lookout
        self._breaker = breaker
        self._version = engine_version
        self._chain_id = chain_id
        self._exchange_known = exchange_known
        self._limits = limits or GateLimits()
        self._reconciled_at: datetime | None = None
        self._account = Warm(self._read_account, ACCOUNT_KEPT, clock)
        self._incidents = Warm(self._read_incidents, JUDGED_KEPT, clock)
        self._results = Warm(self._read_reconciled, JUDGED_KEPT, clock)

    async def admission(self) -> Admission:
        """What may be claimed now. Raises `StoreUnavailable`: without the store there is nothing to claim."""
        return gate.admission(await self.facts(), self._limits)

    async def may_resend(self, copy: Copy) -> bool:
        """Whether an order that may not have arrived may be sent again."""
        account, admission = await self._account.refresh(), await self.admission()
        if account is None or not admission.fresh:
            return False
        return not self.standing(account, copy.trade, _market_of(copy), entry=copy.side is Side.BUY)

    def standing(self, account: Account, trade: LeaderTrade, condition_id: str, *, entry: bool) -> tuple[Verdict, ...]:
        """State, pauses and version on a decision's own snapshot; what fails releases the copy."""
        return gate.standing(self._served(account), trade, condition_id, self._version, entry=entry)

    async def refresh(self) -> None:
        """Read ahead what the gate judges, so that no claim waits for it."""
        await asyncio.gather(self._account.refresh(), self._incidents.refresh(), self._results.refresh())

    def forget(self) -> None:
        """Control has changed something: read the account anew."""
        self._account.forget()

    async def facts(self) -> ProcessFacts:
        """Everything that the gate judges for this account."""
        account = await self._account.get()
        if account is None:
            raise StoreUnavailable(f"account {self._account_id} is not stored")
        await read_together(self._lookout.known, self._incidents, self._results)
        around, incidents = await self._lookout.around(), await self._incidents.get()
        reconciled = await self._results.get()
        return ProcessFacts(
            now=self._lookout.now(),
            account=self._served(account),
            engine_version=self._version,
            expected_chain_id=self._chain_id,
            reconciled_at=reconciled,
            # Orders are followed by their hash here; there is no feed that could be out of step.
            user_feed_live=True,
            database_skew_ms=_ms(around.database_skew),
            venue_skew_ms=_ms(around.venue_skew),
            chain_id=around.head.chain_id if around.head else None,
            head_at=around.head.at if around.head else None,
            endpoints_agree=around.head is not None,
            exchange_known=self._exchange_known,
            signer_ready=True,
            venue_open=not self._breaker.is_open,
            venue_note="breaker_open" if self._breaker.is_open else "",
            closed_only=False,
            incidents=incidents,
        )

    def _served(self, account: Account) -> Account:
        # An account that names no version accepts any.
        return account if account.active_version else replace(account, active_version=self._version)

    async def _read_account(self) -> Account | None:
        return await self._stores.accounts.get(self._account_id)

    async def _read_incidents(self) -> tuple[Incident, ...]:
        since = self._lookout.now() - self._limits.brake_window
        return tuple(incidents(await self._stores.copies.recent_outcomes(self._account_id, since)))

    async def _read_reconciled(self) -> datetime | None:
        result = await self._stores.results.latest(self._account_id)
        if result is not None and result.complete:
            self._reconciled_at = result.finished_at
        return self._reconciled_at


def incidents(copies: Sequence[Copy]) -> Iterator[Incident]:
    """What went wrong with these copies' intents: what brakes are made of."""
    for copy in copies:
        if copy.intent is None:
            continue
        at = copy.intent.attempts[-1].at
        for trouble in _troubles(copy):
            yield Incident(trouble, copy.trade.leader, _market_of(copy), at)


def _troubles(copy: Copy) -> Iterator[Trouble]:
    attempts = copy.intent.attempts if copy.intent else ()
    # An order that the venue delays is in its hands, not lost.
    if any(attempt.outcome is Outcome.UNKNOWN and not evidence.has_arrived(attempt) for attempt in attempts):
        yield Trouble.UNKNOWN
    if copy.state is CopyState.FAILED and copy.failure == "rejected":
        yield Trouble.REJECTED
    if copy.failure == "settlement_failed":
        yield Trouble.UNSETTLED
    if copy.needs_review:
        yield Trouble.REVIEW


def _market_of(copy: Copy) -> str:
    """The copy's market, by its decision where the trade does not say; its token rather than a name that all unknown ones share."""
    kept = copy.decision.case.get("market") if copy.decision else None
    known = cast("Mapping[str, str]", kept).get("condition_id", "") if isinstance(kept, Mapping) else ""
    return copy.trade.condition_id or known or copy.trade.token_id


def _ms(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds() * 1000)
