"""Builds the snapshot that a decision is made on: the account's line read now, everything around it kept warm."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from services.common.domain.account import Account, OpenIntent
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, exit_id
from services.common.domain.follow import Follow
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market, Side
from services.common.domain.recent_order import RecentOrder
from services.common.polymarket.order import Contract
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.ports.venue import Clob, Markets, VenueUnavailable, Wallet
from services.engine.case import Case, Funds
from services.engine.journal import MINUTE, Journal
from services.engine.lookout import Lookout
from services.engine.warm import Warm

FUNDS_KEPT = timedelta(seconds=4)
MARKS_KEPT = timedelta(seconds=10)
WALLETS_KEPT = timedelta(seconds=30)


class AccountGone(Exception):
    """The copy's account is not stored."""


@dataclass(frozen=True, slots=True)
class Purse:
    """What the wallet may spend, and what the intents might take that were open just before it was read, by copy."""

    wallet: Wallet
    promised: Mapping[str, int]

    def spent_micros(self, begun: Mapping[str, int], account: Account) -> int | None:
        """The most that has been spent by intents which have left the line since, `begun` being those that came after; None where none has.

        Whether the balance knows of them already cannot be told.
        """
        known = {**self.promised, **begun}
        gone = [micros for copy_id, micros in known.items() if copy_id not in account.exposure.open]
        return sum(gone) if gone else None


@dataclass(frozen=True, slots=True)
class Marks:
    """The last known prices of held tokens, and which tokens were asked for."""

    asked: frozenset[str]
    micros: Mapping[str, int]


class Around(NamedTuple):
    """A copy's follow, the exit of its token, and the copies of its group that its order would take with it."""

    follow: Follow | None
    kept: Exit | None
    members: tuple[Copy, ...] = ()


class Snapshot:
    """Cases of one account. Raises `StoreUnavailable` and `VenueUnavailable`: a fact that is away releases the copy, it never skips it."""

    def __init__(
        self,
        account_id: str,
        stores: Stores,
        clob: Clob,
        markets: Markets,
        lookout: Lookout,
        journal: Journal,
        clock: Clock,
        contract: Callable[[Market], Contract],
    ) -> None:
        self._account_id = account_id
        self._contract = contract
        self._stores = stores
        self._clob = clob
        self._markets = markets
        self._lookout = lookout
        self._journal = journal
        self._purse = Warm(self._read_purse, FUNDS_KEPT, clock)
        self._marks = Warm(self._read_marks, MARKS_KEPT, clock)
        self._wallets = Warm(self._read_wallets, WALLETS_KEPT, clock)
        self._begun: dict[str, int] = {}

    async def around(self, copy: Copy) -> Around:
        """What lies around a copy, read outside of the account's line; its token's market and book are at hand from then on.

        Raises `VenueUnavailable`.
        """
        token_id = copy.trade.token_id
        follow, kept, members, *_ = await asyncio.gather(
            self._stores.follows.get(copy.follow_id),
            self._stores.exits.get(exit_id(copy.follow_id, token_id)),
            self._members(copy),
            self._markets.by_token(token_id),
            self._markets.book(token_id),
        )
        return Around(follow, kept, members)

    async def _members(self, copy: Copy) -> tuple[Copy, ...]:
        if not copy.group_key:
            return ()
        group = await self._stores.copies.of_group(copy.account_id, copy.group_key)
        return tuple(one for one in group if one.copy_id != copy.copy_id and _joins(one, copy))

    async def case(self, copy: Copy, around: Around, account: Account | None = None) -> Case:
        """The case of an entry or an exit attempt on the account's line, which is read where it is not given; without what only
        exits need, and without a draft."""
        token_id, (follow, kept, members) = copy.trade.token_id, around
        account = account or await self._stores.accounts.get(copy.account_id)
        if account is None:
            raise AccountGone(copy.account_id)
        market, book = await self._markets.by_token(token_id), await self._markets.book(token_id)
        orders, marks, wallets = await asyncio.gather(
            self._journal.up_to(account.attempts), self._marked(account), self._wallets.get()
        )
        # Last, and only then the time is read: whatever else had to be waited for, the balance is not too old by it.
        purse, now = await self._purse.get(), self._lookout.now()
        return Case(
            now=now,
            copy=copy,
            account=account,
            follow=follow,
            market=market,
            book=book,
            funds=self._funds(purse, account, market),
            recent_orders=_attempted(orders, now - MINUTE),
            repetitions=_repetitions(orders, account, token_id, now),
            own_wallets=wallets,
            marks=marks,
            outcomes=await self._outcomes(account, market),
            steps=kept.steps if kept else (),
            exit_opened_at=_opened_at(copy, kept),
            members=tuple(member.trade for member in members),
            deadline_at=now + timedelta(milliseconds=account.limits.intent_lifetime_ms),
        )

    async def prepared(self, known: Account | None) -> Account:
        """The account, read where it is not `known`, with everything at hand that a decision on it needs."""
        account = known or await self._stores.accounts.get(self._account_id)
        if account is None:
            raise AccountGone(self._account_id)
        await asyncio.gather(
            self._purse.get(), self._marked(account), self._wallets.get(), self._journal.up_to(account.attempts)
        )
        return account

    async def count_again(self) -> None:
        """Read the wallet now. Raises `VenueUnavailable`."""
        await self._purse.refresh()

    def forget_funds(self) -> None:
        """Whoever asks for the wallet next reads it."""
        self._purse.forget()

    def sent(self, copy: Copy, before: int, promised: OpenIntent | None) -> None:
        """An order of this copy was journaled by this process, after `before` attempts: it counts from now on, without being read."""
        self._journal.sent(copy, before)
        self._begun[copy.copy_id] = _may_take(promised) if promised else 0

    async def read_ahead(self, token_id: str) -> None:
        """Read the token's market and book, which then are at hand. Raises `VenueUnavailable`."""
        await asyncio.gather(self._markets.by_token(token_id), self._markets.book(token_id))

    async def refresh(self) -> None:
        """Read ahead what decisions need."""
        await asyncio.gather(self._purse.refresh(), self._marks.refresh())

    async def _read_purse(self) -> Purse:
        begun = tuple(self._begun)
        account = await self._stores.accounts.get(self._account_id)
        wallet = await self._clob.wallet()
        for copy_id in begun:
            self._begun.pop(copy_id, None)
        promised = account.exposure.open.items() if account else ()
        return Purse(wallet, {copy_id: _may_take(one) for copy_id, one in promised})

    def _funds(self, purse: Purse, account: Account, market: Market | None) -> Funds | None:
        """What the exchange of this market may take; not known where there is none."""
        try:
            exchange = self._contract(market).exchange if market else None
        except ValueError:
            exchange = None
        if not exchange:
            return None
        wallet, spent = purse.wallet, purse.spent_micros(self._begun, account)
        left = (wallet.balance_micros - (spent or 0), wallet.allowance(exchange) - (spent or 0))
        return Funds(*left, wallet.read_at, at_least=spent is not None)

    async def _marked(self, account: Account) -> Mapping[str, int]:
        # A token that was booked since the marks were read has to be marked before it counts as worthless.
        marks = await self._marks.get()
        return (marks if marks.asked >= set(account.exposure.held) else await self._marks.refresh()).micros

    async def _read_marks(self) -> "Marks":
        account = await self._stores.accounts.get(self._account_id)
        held = tuple(account.exposure.held) if account else ()
        best = zip(held, await asyncio.gather(*(self._mark(token) for token in held)), strict=True)
        return Marks(frozenset(held), {token: mark for token, mark in best if mark is not None})

    async def _mark(self, token_id: str) -> int | None:
        """What a share is worth: what it pays where that is certain, else mid, or the best bid where nothing is offered."""
        try:
            market = await self._markets.by_token(token_id)
            if market is not None and market.payouts is not None:
                return market.payout(token_id)
            book = await self._markets.book(token_id)
        except VenueUnavailable:
            return None
        return book.worth_micros if book else None

    async def _outcomes(self, account: Account, market: Market | None) -> Mapping[str, int]:
        """The places of tokens at risk in a neg-risk event; a market that cannot be read now is left out, which is never too little."""
        if market is None or not market.neg_risk or not market.event_id:
            return {}
        risk = (*account.exposure.held.values(), *account.exposure.open.values())
        tokens = sorted({one.token_id for one in risk if one.event_id == market.event_id})
        places = zip(tokens, await asyncio.gather(*(self._place(token) for token in tokens)), strict=True)
        return {token: place for token, place in places if place is not None}

    async def _place(self, token_id: str) -> int | None:
        try:
            market = await self._markets.by_token(token_id)
        except VenueUnavailable:
            return None
        return market.outcome_index(token_id) if market is not None and market.neg_risk else None

    async def _read_wallets(self) -> frozenset[str]:
        accounts = await self._stores.accounts.all()
        return frozenset(wallet.lower() for account in accounts for wallet in (account.wallet, account.signer))


def _may_take(intent: OpenIntent) -> int:
    return intent.usdc_micros + intent.fee_micros if intent.side is Side.BUY else 0


def _attempted(orders: Sequence[RecentOrder], since: datetime) -> tuple[datetime, ...]:
    return tuple(sorted(attempt.at for order in orders for attempt in order.attempts if attempt.at > since))


def _repetitions(orders: Sequence[RecentOrder], account: Account, token_id: str, now: datetime) -> int:
    since = now - timedelta(milliseconds=account.limits.repetition_window_ms)
    # Those before somebody looked at them count no more.
    since = max(since, account.acknowledged.get(token_id, since))
    entries = (order for order in orders if order.kind is CopyKind.ENTRY and order.token_id == token_id)
    return sum(1 for order in entries if order.attempts[0].at > since)


def _joins(one: Copy, copy: Copy) -> bool:
    """Whether a copy of the group waits for this one's order, or has been taken by an earlier order of it.

    The first order of a group takes all that wait: one that comes after it stands alone, or with others that are as late.
    """
    if copy.intent is not None:
        return one.member_of == copy.copy_id
    return one.state is CopyState.DETECTED and one.trade.token_id == copy.trade.token_id


def _opened_at(copy: Copy, kept: Exit | None) -> datetime | None:
    return kept.opened_at if kept and copy.kind is CopyKind.EXIT else None
