"""What is off between our books and the venue's own log, in words. Empty lists are the proof that `demo` is run for."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from services.cli.books import MATCHED, Books
from services.cli.venue_log import LeaderFill, Received, VenueLog
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import TradeStatus
from services.common.domain.follow import FollowState
from services.common.domain.intent import Intent, Outcome
from services.common.domain.lifecycle import TERMINAL, CopyState
from services.common.domain.market import Side

Place = tuple[str, str, str]
Amounts = tuple[int, int, int]
"""Shares, USDC and fee, in millionths."""


@dataclass(frozen=True, slots=True)
class Findings:
    """One line for each thing that is off. `others` are neither double, lost nor wrong, and still no success."""

    duplicates: tuple[str, ...]
    lost: tuple[str, ...]
    discrepancies: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def all(self) -> list[str]:
        return [*self.duplicates, *self.lost, *self.discrepancies, *self.others]


def find(books: Books, log: VenueLog) -> Findings:
    """Hold everything that the stores say against everything that the venue's log says, both ways."""
    booked, filled = _booked(books), _filled(log)
    return Findings(
        duplicates=(*_strange(books, log), *_twice(books), *_filled_twice(books, filled), *_beyond(books, filled)),
        lost=(*unseen(books, log), *_unbooked(booked, filled), *_unarrived(books, log), *_unsold(books, filled)),
        discrepancies=(
            *_phantoms(books, log, booked, filled),
            *_misread(books, log, filled),
            *_compared(books),
            *_holdings(books, log),
            *_cash(books, log),
        ),
        others=tuple(_unended(books)),
    )


def _booked(books: Books) -> dict[str, Amounts]:
    sums: defaultdict[str, Amounts] = defaultdict(lambda: (0, 0, 0))
    for fill in books.fills:
        if fill.status is TradeStatus.CONFIRMED:
            sums[fill.order_hash] = _plus(
                sums[fill.order_hash], (fill.shares_micros, fill.usdc_micros, fill.fee_micros)
            )
    return dict(sums)


def _filled(log: VenueLog) -> dict[str, Amounts]:
    return {known: _amounts(order) for known, order in log.orders.items() if order.shares_micros}


def _amounts(order: Received) -> Amounts:
    return order.shares_micros, order.usdc_micros, order.fee_micros


def _plus(one: Amounts, other: Amounts) -> Amounts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    total: Amounts = (0, 0, 0)
    for one in amounts:
        total = _plus(total, one)
    return total


def _strange(books: Books, log: VenueLog) -> Iterator[str]:
    ours = {intent.order_hash for _, intent in books.intents}
    for known in log.orders:
        if known not in ours:
            yield f"the venue took order {known}, which our journal does not have"


def _twice(books: Books) -> Iterator[str]:
    keys = Counter((copy.account_id, copy.idempotency_key) for copy in books.copies)
    yield from (f"{times} copies for the key {key}" for (_, key), times in keys.items() if times > 1)
    places = Counter((copy.account_id, _place(copy)) for copy in books.trades)
    for (account, (_, tx_hash, order_hash)), times in places.items():
        if times > 1:
            yield f"{account} has {times} copies of the fill of {order_hash} in {tx_hash}"
    hashes = Counter(intent.order_hash for _, intent in books.intents)
    yield from (f"order {known} belongs to {times} copies" for known, times in hashes.items() if times > 1)


def _filled_twice(books: Books, filled: dict[str, Amounts]) -> Iterator[str]:
    orders = Counter(copy.copy_id for copy, intent in books.intents if intent.order_hash in filled)
    yield from (f"copy {copy_id} filled {times} orders" for copy_id, times in orders.items() if times > 1)


def _beyond(books: Books, filled: dict[str, Amounts]) -> Iterator[str]:
    for _, intent in books.intents:
        shares, usdc, _fee = filled.get(intent.order_hash, (0, 0, 0))
        given, most = (usdc if intent.fields.side is Side.BUY else shares), intent.fields.maker_amount
        if given > most:
            yield f"order {intent.order_hash} gave {given} of the {most} that it was made for"


def unseen(books: Books, log: VenueLog) -> list[str]:
    """Fills of followed leaders that an account, following at the time, has no copy of."""
    known = {(copy.account_id, *_place(copy)) for copy in books.trades}
    off: list[str] = []
    for fill in log.leader_fills:
        following = [follow for follow in books.follows if follow.leader == fill.leader]
        if not following:
            off.append(f"nobody follows {fill.leader}, who filled {fill.order_hash} in {fill.tx_hash}")
        for follow in following:
            wanted = follow.state is not FollowState.CLOSED and _ms(follow.created_at) < fill.mined_at_ms
            if wanted and (follow.account_id, *_of(fill)) not in known:
                off.append(f"{follow.account_id} has no copy of the fill of {fill.order_hash} in {fill.tx_hash}")
    return off


def _unbooked(booked: dict[str, Amounts], filled: dict[str, Amounts]) -> Iterator[str]:
    for known, (shares, _, _) in filled.items():
        ours = booked.get(known, (0, 0, 0))[0]
        if ours < shares:
            yield f"order {known} filled {shares} micro-shares, booked are {ours}"


def _unarrived(books: Books, log: VenueLog) -> Iterator[str]:
    for copy, intent in books.intents:
        if _acked(intent) and intent.order_hash not in log.orders:
            yield f"copy {copy.copy_id} says that the venue answered order {intent.order_hash}, which it never got"


def _unsold(books: Books, filled: dict[str, Amounts]) -> Iterator[str]:
    sold = {
        copy.exit_id for copy in books.copies if copy.kind is CopyKind.EXIT and filled.keys() & set(copy.order_hashes)
    }
    for copy in books.copies:
        if copy.kind is CopyKind.DEBT and copy.state in MATCHED and copy.exit_id not in sold:
            yield f"debt {copy.copy_id} is {copy.state}, but nothing was sold for it"


def _phantoms(books: Books, log: VenueLog, booked: dict[str, Amounts], filled: dict[str, Amounts]) -> Iterator[str]:
    places = {_of(fill) for fill in log.leader_fills}
    for copy in books.trades:
        if _place(copy) not in places:
            yield f"copy {copy.copy_id} is of a fill that the venue does not know: {copy.trade.order_hash}"
    for known, ours in booked.items():
        theirs = filled.get(known, (0, 0, 0))
        if ours[0] > theirs[0] or (ours[0] == theirs[0] and ours != theirs):
            yield f"order {known} filled (shares, USDC, fee) {theirs}, booked are {ours}"


def _misread(books: Books, log: VenueLog, filled: dict[str, Amounts]) -> Iterator[str]:
    """Copies whose own figures, or whose order, are not what the venue's log says."""
    for copy in books.copies:
        theirs = _sum(filled.get(known, (0, 0, 0)) for known in copy.order_hashes)
        ours = copy.filled_micros, copy.paid_micros, copy.fee_micros
        if copy.kind is not CopyKind.DEBT and copy.state in TERMINAL and ours != theirs:
            yield f"copy {copy.copy_id} is {copy.state} with (shares, USDC, fee) {ours}, its orders filled {theirs}"
    for copy, intent in books.intents:
        order = log.orders.get(intent.order_hash)
        asked = (copy.account_id.lower(), intent.fields.token_id, str(intent.fields.side))
        if order is not None and asked != (order.wallet, order.token, order.side):
            yield f"order {intent.order_hash} reached the venue as {order.side} of {order.token[:12]}… by {order.wallet}"


def _compared(books: Books) -> Iterator[str]:
    latest = max((fill.matched_at for fill in books.fills), default=None)
    for account in books.accounts:
        result = next((one for one in books.results if one.account_id == account), None)
        if result is None:
            yield f"{account} was never compared"
            continue
        if latest is not None and result.started_at < latest:
            yield f"{account} was last compared before its last fill"
        if not result.complete:
            yield f"the last comparison could not ask {', '.join(result.unreachable)}"
        for item in result.discrepancies:
            yield f"{item.source} says {item.theirs_micros} of {item.token_id[:12]}…, our books {item.ours_micros}"


def _holdings(books: Books, log: VenueLog) -> Iterator[str]:
    ours = {(one.account_id.lower(), one.token_id): one.shares_micros for one in books.positions if one.shares_micros}
    for held in sorted(ours.keys() | log.holdings.keys()):
        mine, theirs = ours.get(held, 0), log.holdings.get(held, 0)
        if mine != theirs:
            yield f"the venue's log says {theirs} of {held[1][:12]}…, our books {mine}"


def _cash(books: Books, log: VenueLog) -> Iterator[str]:
    """What the positions cost and earned is what the wallet paid and got."""
    for account in books.accounts:
        held = [one for one in books.positions if one.account_id == account]
        ours = sum(one.realized_micros - one.cost_micros for one in held)
        theirs = log.cash_micros.get(account.lower(), 0)
        if ours != theirs:
            yield f"the venue's log says that the cash of {account} moved by {theirs}, our books {ours}"


def _unended(books: Books) -> Iterator[str]:
    for copy in books.copies:
        if copy.state not in TERMINAL:
            yield f"{copy.kind} {copy.copy_id} is still {copy.state}"
        if copy.state is CopyState.SKIPPED and not copy.skip_reason:
            yield f"{copy.kind} {copy.copy_id} was skipped for no reason"
        if copy.needs_review:
            yield f"{copy.kind} {copy.copy_id} needs a person's review: {copy.failure or copy.state}"
    yield from (f"exit {exit_.exit_id} still owes" for exit_ in books.owing)


def _acked(intent: Intent) -> bool:
    return any(attempt.outcome in {Outcome.ACKED, Outcome.DUPLICATED} for attempt in intent.attempts)


def _of(fill: LeaderFill) -> Place:
    return fill.leader, fill.tx_hash, fill.order_hash


def _place(copy: Copy) -> Place:
    return copy.trade.leader, copy.trade.tx_hash, copy.trade.order_hash


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
