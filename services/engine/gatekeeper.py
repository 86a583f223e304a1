"""Reads what the gate judges (guards.md, first table). What cannot be read is not known, and keeps the gate closed."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain.account import Account
from services.common.domain.control import Standing
from services.common.domain.copy import Copy
from services.common.domain.market import Side
from services.common.domain.recent_order import market_of
from services.common.domain.trade import LeaderTrade
from services.common.domain.verdict import Verdict
from services.common.ports.clock import Clock
from services.common.ports.signer import SignerStanding
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.ports.venue import Feed
from services.engine import gate
from services.engine.breaker import Breaker
from services.engine.exchanges import Exchanges
from services.engine.gate import Admission
from services.engine.incidents import incidents
from services.engine.journal import Journal
from services.engine.lookout import Lookout
from services.engine.process_facts import GateLimits, ProcessFacts
from services.engine.terms import Terms
from services.engine.warm import Warm, read_together

ACCOUNT_KEPT = timedelta(seconds=2)
JUDGED_KEPT = timedelta(seconds=3)


class Gatekeeper:
    """Says what one account may claim."""

    def __init__(
        self,
        account_id: str,
        stores: Stores,
        lookout: Lookout,
        journal: Journal,
        breaker: Breaker,
        terms: Terms,
        exchanges: Exchanges,
        feed: Feed | None,
        clock: Clock,
        *,
        engine_version: str,
        chain_id: int,
        limits: GateLimits,
    ) -> None:
        self._account_id = account_id
        self._stores = stores
        self._lookout = lookout
        self._journal = journal
        self._breaker = breaker
        self._terms = terms
        self._version = engine_version
        self._chain_id = chain_id
        self._exchanges = exchanges
        self._feed = feed
        self._limits = limits
        self._reconciled_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._account = Warm(self._read_account, ACCOUNT_KEPT, clock)
        self._results = Warm(self._read_reconciled, JUDGED_KEPT, clock)

    async def admission(self) -> Admission:
        """What may be claimed now. Raises `StoreUnavailable`: without the store there is nothing to claim."""
        return gate.admission(await self.facts(), self._limits)

    async def may_resend(self, copy: Copy) -> Standing | None:
        """What an order that may not have arrived would be sent again as; None where it may not be."""
        account, admission = await self._account.refresh(), await self.admission()
        if account is None or not admission.fresh:
            return None
        entry = copy.side is Side.BUY
        held = self.standing(account, copy.trade, market_of(copy), entry=entry)
        return None if held else Standing(self._version, copy.trade.leader, market_of(copy), entry)

    def standing(self, account: Account, trade: LeaderTrade, condition_id: str, *, entry: bool) -> tuple[Verdict, ...]:
        """State, pauses and version on a decision's own snapshot; what fails releases the copy."""
        return gate.standing(self._served(account), trade, condition_id, self._version, entry=entry)

    async def refresh(self) -> None:
        """Read ahead what the gate judges, so that no claim waits for it."""
        await asyncio.gather(self._account.refresh(), self._journal.stored.refresh(), self._results.refresh())
        await read_together(self._terms.permission, self._exchanges.known)

    async def clock(self) -> Verdict:
        """The gate's word on our clock, for health."""
        around = await self._lookout.around()
        return gate.clock(_ms(around.database_skew), _ms(around.venue_skew), self._limits)

    async def head(self) -> Verdict:
        """The gate's word on the age of the chain's head, for health."""
        around = await self._lookout.around()
        return gate.head(self._lookout.now(), around.head.at if around.head else None, self._limits)

    def forget(self) -> None:
        """Control has changed something: read the account anew, and what was compared."""
        self._account.forget()
        self._journal.stored.forget()
        self._results.forget()

    async def facts(self) -> ProcessFacts:
        """Everything that the gate judges for this account."""
        account = await self._account.get()
        if account is None:
            raise StoreUnavailable(f"account {self._account_id} is not stored")
        await read_together(
            self._lookout.known, self._journal.stored, self._results, self._terms.permission, self._exchanges.known
        )
        takes, why, closed_only = await self._terms.holds()
        around, orders = await self._lookout.around(), await self._journal.orders()
        now, reconciled = self._lookout.now(), await self._results.get()
        signer = self._lookout.signer(around)
        since = now - self._limits.brake_window
        return ProcessFacts(
            now=now,
            account=self._served(account),
            engine_version=self._version,
            expected_chain_id=self._chain_id,
            reconciled_at=reconciled,
            user_feed_live=self._feed is None or self._feed.live,
            database_skew_ms=_ms(around.database_skew),
            venue_skew_ms=_ms(around.venue_skew),
            chain_id=around.head.chain_id if around.head else None,
            head_at=around.head.at if around.head else None,
            endpoints_agree=around.endpoints_agree,
            exchange_known=await self._exchanges.known.get(),
            signer_ready=None if signer is None else signer is SignerStanding.READY,
            signer_note="" if signer in {None, SignerStanding.READY} else str(signer),
            venue_open=takes and not self._breaker.is_open,
            venue_note="breaker_open" if self._breaker.is_open else why,
            closed_only=closed_only,
            incidents=tuple(incidents(orders, since)),
        )

    def _served(self, account: Account) -> Account:
        # An account that names no version accepts any.
        return account if account.active_version else replace(account, active_version=self._version)

    async def _read_account(self) -> Account | None:
        return await self._stores.accounts.get(self._account_id)

    async def _read_reconciled(self) -> datetime | None:
        # What was compared before this process began says nothing of what it finds.
        if self._asked_at is None:
            now = self._lookout.now()
            await self._stores.results.ask(self._account_id, now)
            self._asked_at = now
        result = await self._stores.results.latest(self._account_id)
        if result is not None and result.complete and result.finished_at >= self._asked_at:
            self._reconciled_at = result.finished_at
        return self._reconciled_at


def _ms(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds() * 1000)
