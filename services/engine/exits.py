"""What an exit is to do next, derived anew from the copies of its follow and token (orders.md 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import takewhile

from services.common.domain.account import Account
from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, ExitState, Kept, Lot, Place, owed_of, own, remaining
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market, Side
from services.common.domain.money import mul_div
from services.engine.generation import exit_pause

MATCHED = frozenset({CopyState.EXECUTED, CopyState.RECONCILED})
UNSENT = frozenset({CopyState.DETECTED, CopyState.CLAIMED})
PENDING = UNSENT | {CopyState.EXECUTING}


class DueKind(StrEnum):
    """`wait`: something is under way, look again later. `sell`: open an attempt. `end`: the exit is over."""

    WAIT = "wait"
    SELL = "sell"
    END = "end"


@dataclass(frozen=True, slots=True)
class Due:
    """What an exit is to do; `shares_micros` for a sale, `state` for an end, `until` where the wait has a known end."""

    kind: DueKind
    reason: str
    shares_micros: int = 0
    state: ExitState | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stock:
    """The account's shares of the token: settled ones, those in sales that are not settled, and those of its other follows.

    `settled_micros` is None where it is not known; `settling` says that some intent of the account in this token is not settled.
    `missing_micros` is what this exit's follow should hold of the token and does not, because a person has sold it; None while a sale
    of ours may have taken a part of it.
    """

    settled_micros: int | None
    selling_micros: int
    others_micros: int
    settling: bool
    missing_micros: int | None = 0

    @property
    def free_micros(self) -> int:
        """Settled shares that this exit may sell."""
        return max((self.settled_micros or 0) - self.selling_micros - self.others_micros, 0)


def stock(
    account: Account, token_id: str, settled_micros: int | None, others_micros: int, mine_micros: int = 0
) -> Stock:
    """The stock of a token by the account's line; `mine_micros` is what the exit's own follow holds by its copies."""
    intents = [intent for intent in account.exposure.open.values() if intent.token_id == token_id]
    selling = sum(intent.shares_micros for intent in intents if intent.side is Side.SELL)
    held = mine_micros + others_micros
    if settled_micros is None or not held:
        missing = 0
    elif intents:
        missing = _unexplained(account, token_id, settled_micros, selling)
    else:
        missing = max(held - settled_micros, 0)
    # What a person has sold is missing to every follow by its part.
    mine = None if missing is None else mul_div(missing, mine_micros, held) if missing else 0
    return Stock(settled_micros, selling, others_micros, bool(intents), mine)


def _unexplained(account: Account, token_id: str, settled_micros: int, selling_micros: int) -> int | None:
    """What the chain lacks of the books, and no sale of ours can have taken; None where one may have taken a part of it."""
    holding = account.exposure.held.get(token_id)
    missing = max((holding.shares_micros if holding else 0) - settled_micros - selling_micros, 0)
    return None if missing and selling_micros else missing


def place(copy: Copy) -> Place:
    """Where a copy's trade stands in the leader's order of trades."""
    return Place(copy.trade.block_number, copy.trade.log_index)


def lots(copies: Sequence[Copy]) -> tuple[Lot, ...]:
    """What the entries among these copies have bought and not lost to a failed settlement."""
    return tuple(
        Lot(copy.copy_id, place(copy), copy.filled_micros)
        for copy in copies
        if copy.kind is CopyKind.ENTRY and copy.state in MATCHED and copy.filled_micros > 0
    )


def sold_micros(copies: Sequence[Copy]) -> int:
    """What the exit attempts among these copies have sold."""
    return sum(c.filled_micros for c in copies if c.kind is CopyKind.EXIT and c.state in MATCHED)


def watched_micros(copies: Sequence[Copy]) -> int:
    """What those of these attempts that were given up may yet turn out to have sold: it is not sold again while they are watched."""
    failed = (c.intent for c in copies if c.kind is CopyKind.EXIT and c.state is CopyState.FAILED)
    return sum(one.shares_micros for one in failed if one is not None and one.state is IntentState.PRESUMED_DEAD)


def holding_micros(entries: Sequence[Copy], attempts: Sequence[Copy], kept: Kept | None = None) -> int:
    """What a follow holds of a token by its own copies, without what its owner keeps; for the exits of others, which never sell it."""
    return max(sum(lot.shares_micros for lot in own(lots(entries), kept)) - _sold_since(attempts, kept), 0)


def _sold_since(attempts: Sequence[Copy], kept: Kept | None) -> int:
    return max(sold_micros(attempts) - (kept.sold_micros if kept else 0), 0)


def due(
    exit_: Exit, entries: Sequence[Copy], attempts: Sequence[Copy], stock: Stock, market: Market | None, now: datetime
) -> Due:
    """What the exit is to do now.

    `entries` are the copies of kind entry of its follow and token, `attempts` its own of kind exit, in their order. What is owed but
    smaller than the venue's minimum ends as dust and is not lost: the next step opens the exit again and owes the sum. Only where
    the leader kept nothing is the whole rest tried, however small.
    """
    if any(attempt.state in PENDING for attempt in attempts):
        return Due(DueKind.WAIT, "attempt_open")
    step = _next(exit_, entries, attempts, stock, market, now)
    # A sale that fails to settle is owed again, and an exit that is over owes nothing.
    if step.kind is DueKind.END and any(attempt.state is CopyState.EXECUTED for attempt in attempts):
        return Due(DueKind.WAIT, "settling")
    return step


def kept(attempts: Sequence[Copy], entries: Sequence[Copy]) -> Due:
    """What an exit is to do whose owner keeps what is left: end, once nothing of it can move any more."""
    if any(copy.state in PENDING or copy.state is CopyState.EXECUTED for copy in (*attempts, *entries)):
        return Due(DueKind.WAIT, "settling")
    return Due(DueKind.END, "kept", state=ExitState.KEPT)


def _next(
    exit_: Exit, entries: Sequence[Copy], attempts: Sequence[Copy], stock: Stock, market: Market | None, now: datetime
) -> Due:
    held, watched = own(lots(entries), exit_.kept), watched_micros(attempts)
    ever, sold = owed_of(exit_, lots(entries)), _sold_since(attempts, exit_.kept) + watched
    waiting = "attempt_watched" if watched else _overtaken(exit_, entries, now)
    if ever - sold < LOT_MICROS:
        return Due(DueKind.WAIT, waiting) if waiting else _met(exit_, held)
    if market is None or stock.settled_micros is None or stock.missing_micros is None:
        return _unknown(market, stock)
    if _is_resolved(market):
        return Due(DueKind.END, "resolved", state=ExitState.RESOLVED)
    owed = _left_of(ever, held, stock.missing_micros) - sold
    if owed < LOT_MICROS:
        return Due(DueKind.WAIT, waiting) if waiting else Due(DueKind.END, "sold_elsewhere", state=ExitState.EXTERNAL)
    return _sale(exit_, entries, attempts, stock, market, now, owed, waiting)


def _unknown(market: Market | None, stock: Stock) -> Due:
    """What a fact that is not known comes to. A market that is over needs no balance."""
    if market is None:
        return Due(DueKind.WAIT, "market_unknown")
    if _is_resolved(market):
        return Due(DueKind.END, "resolved", state=ExitState.RESOLVED)
    return Due(DueKind.WAIT, "balance_unknown" if stock.settled_micros is None else "settling")


def _is_resolved(market: Market) -> bool:
    return market.closed or market.uma_status == "resolved"


def _left_of(owed: int, held: Sequence[Lot], missing_micros: int) -> int:
    """What is owed of lots that a person has sold a part of: each is the smaller by it; below zero where he has sold more than these."""
    bought = sum(lot.shares_micros for lot in held)
    return mul_div(owed, bought - missing_micros, bought) if missing_micros and bought else owed


def _sale(
    exit_: Exit,
    entries: Sequence[Copy],
    attempts: Sequence[Copy],
    stock: Stock,
    market: Market,
    now: datetime,
    owed: int,
    waiting: str,
) -> Due:
    """The next sale of what is owed: as much of it as is settled and free, if that is an order at all."""
    free = min(owed, stock.free_micros) // LOT_MICROS * LOT_MICROS
    least = (
        LOT_MICROS if _whole(exit_, entries) and not waiting and free >= owed - LOT_MICROS else market.min_size_micros
    )
    if free < least:
        return _short(owed, free, least, stock.settling, waiting)
    if free < market.min_size_micros and _rejected(attempts, free):
        return Due(DueKind.END, "dust", state=ExitState.DUST)
    until = _rested_at(attempts)
    if until is not None and until > now:
        return Due(DueKind.WAIT, "resting", until=until)
    return Due(DueKind.SELL, "owed", free)


def _short(owed: int, free: int, least: int, settling: bool, waiting: str) -> Due:
    """Too little is free: it settles later, was sold by someone else, or is too little to sell."""
    if settling and free < owed - LOT_MICROS:
        return Due(DueKind.WAIT, "settling")
    if waiting:
        return Due(DueKind.WAIT, waiting)
    if owed >= least and free < LOT_MICROS:
        return Due(DueKind.END, "sold_elsewhere", state=ExitState.EXTERNAL)
    return Due(DueKind.END, "below_minimum", state=ExitState.DUST)


def _met(exit_: Exit, held: Sequence[Lot]) -> Due:
    if exit_.kept is not None and not held:
        return Due(DueKind.END, "kept", state=ExitState.KEPT)
    return Due(DueKind.END, "met" if held or exit_.is_unowned else "nothing_held", state=ExitState.MET)


def _overtaken(exit_: Exit, entries: Sequence[Copy], now: datetime) -> str:
    """Why an earlier BUY may still come to owe something: it is in flight, not sent yet, or given up but watched."""
    mine = (c for c in entries if exit_.kept is None or not place(c) < exit_.kept.place)
    earlier = [c for c in mine if any(place(c) < step.place for step in exit_.standing)]
    if any(copy.state is CopyState.EXECUTING for copy in earlier):
        return "entry_in_flight"
    if any(copy.state in UNSENT for copy in earlier):
        return "entry_unsent"
    return "entry_watched" if any(_watched(copy, now) for copy in earlier) else ""


def _watched(entry: Copy, now: datetime) -> bool:
    """It may still turn out to have filled."""
    if entry.state is not CopyState.FAILED or entry.intent is None or entry.intent.watch_until is None:
        return False
    return entry.intent.state is IntentState.PRESUMED_DEAD and entry.intent.watch_until > now


def _whole(exit_: Exit, entries: Sequence[Copy]) -> bool:
    """Whether the leader kept nothing of any lot. What its owner keeps is older: every step that covers the others covers it too."""
    return all(remaining(lot.place, exit_.steps) == 0 for lot in lots(entries))


def _sold_nothing(attempt: Copy) -> bool:
    return attempt.state not in MATCHED or not attempt.filled_micros


def _rested_at(attempts: Sequence[Copy]) -> datetime | None:
    """When the next attempt may follow those that sold nothing; None where the last one sold something."""
    failures = list(takewhile(_sold_nothing, reversed(attempts)))
    if not failures or failures[0].intent is None:
        return None
    return failures[0].intent.attempts[-1].at + exit_pause(len(failures))


def _rejected(attempts: Sequence[Copy], shares_micros: int) -> bool:
    """Whether the venue has just rejected an order of this size."""
    last = attempts[-1] if attempts else None
    if last is None or last.intent is None or last.state is not CopyState.FAILED:
        return False
    rejected = all(attempt.outcome is Outcome.REJECTED for attempt in last.intent.attempts)
    return rejected and last.intent.shares_micros == shares_micros
