"""Rows of the feed: what a wallet did, and the queries over it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

from services.venue.data.query import Query
from services.venue.model import Fill

TRADE = "TRADE"
BLOCK = 10**10
# Rows in all, and those that the busiest wallet leaves to every other: as many as version 1 shows at once.
MOST = 10_000
MOST_OF_ONE = 500


@dataclass(slots=True)
class Entry:
    """One row. `sequence` orders rows as the chain does; `fill` is that of a TRADE. `outcome` is the one redeemed, -1: none.

    `burned` are the shares of each outcome that went with a redemption, `given` and `got` the tokens of a conversion.
    `written` is what the row looks like once somebody has asked for it, by version.
    """

    sequence: int
    kind: str
    wallet: str
    condition_id: str
    timestamp: int
    shares_micros: int
    usdc_micros: int
    tx_hash: str
    fill: Fill | None = None
    outcome: int = -1
    burned: tuple[int, int] = (0, 0)
    given: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    written: dict[int, bytes] | None = None

    @property
    def side(self) -> str:
        return str(self.fill.side) if self.fill else ""

    @property
    def is_taker(self) -> bool:
        return self.fill is not None and str(self.fill.role) == "TAKER"

    @property
    def is_credit(self) -> bool:
        """Whether it is an administrator's, and none of the chain's."""
        return not self.condition_id

    @property
    def block_number(self) -> int:
        return self.sequence // BLOCK


class Entries:
    """All rows in chain order, and the same by wallet and by condition. The oldest go when there are more than `most`, but for the
    newest `of_one` of each wallet."""

    def __init__(self, most: int = MOST, of_one: int = MOST_OF_ONE) -> None:
        self._most = self._full = most
        self._of_one = of_one
        self._all: list[Entry] = []
        self._of_wallet: defaultdict[str, list[Entry]] = defaultdict(list)
        self._of_condition: defaultdict[str, list[Entry]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entry: Entry) -> list[Entry]:
        """Takes a row into its place, and returns the rows that had to go for it."""
        for entries in (self._all, self._of_wallet[entry.wallet], self._of_condition[entry.condition_id]):
            _insert(entries, entry)
        return self._trim() if len(self._all) > self._full else []

    def drop_from(self, block_number: int) -> list[Entry]:
        """Takes out the rows of that block and of all after it."""
        at = bisect_left(self._all, block_number * BLOCK, key=_sequence)
        gone, self._all = self._all[at:], self._all[:at]
        for one in gone:
            for entries in (self._of_wallet[one.wallet], self._of_condition[one.condition_id]):
                while entries and entries[-1].block_number >= block_number:
                    entries.pop()
        return gone

    def of_wallet(self, wallet: str) -> Sequence[Entry]:
        return self._of_wallet.get(wallet, ())

    def of_condition(self, condition_id: str) -> Sequence[Entry]:
        return self._of_condition.get(condition_id, ())

    def wallets(self) -> list[str]:
        """Everybody who has a row."""
        return [wallet for wallet, entries in self._of_wallet.items() if entries]

    def find(self, query: Query, *, shown_until: int | None, before: int | None = None) -> Iterator[Entry]:
        """Rows of the query in its order, beyond the row `before`; `shown_until` is the newest timestamp to show."""
        if query.sort_by == "TIMESTAMP":
            yield from self._by_time(query, shown_until, before)
            return
        key = _measured if query.sort_by == "CASH" else _shares
        found = [one for one in self._asked(query) if _matches(one, query) and _shown(one, shown_until)]
        yield from sorted(found, key=key, reverse=not query.ascending)

    def _by_time(self, query: Query, shown_until: int | None, before: int | None) -> Iterator[Entry]:
        for entry in self._asked(query):
            if before is not None and (entry.sequence == before or (entry.sequence > before) != query.ascending):
                continue
            if not query.ascending and entry.timestamp < query.start:
                return
            if _matches(entry, query) and _shown(entry, shown_until):
                yield entry

    def _asked(self, query: Query) -> Iterable[Entry]:
        """Those that can match, in the query's direction."""
        if query.user:
            found = self._of_wallet.get(query.user, [])
        elif query.conditions is not None:
            lists = [self._of_condition.get(one, []) for one in query.conditions]
            if query.ascending:
                return merge(*lists, key=_sequence)
            return merge(*(reversed(one) for one in lists), key=_sequence, reverse=True)
        else:
            found = self._all
        return iter(found) if query.ascending else reversed(found)

    def _trim(self) -> list[Entry]:
        # A tenth at once: to shift long lists for every row would cost more than the rows.
        spare = {wallet: len(entries) - self._of_one for wallet, entries in self._of_wallet.items()}
        gone, left = list[Entry](), len(self._all) - self._most + self._most // 10
        for entry in self._all:
            if left and spare[entry.wallet] > 0:
                gone.append(entry)
                spare[entry.wallet] -= 1
                left -= 1
        out = set(map(id, gone))
        self._all = [one for one in self._all if id(one) not in out]
        for lists, names in (
            (self._of_wallet, {one.wallet for one in gone}),
            (self._of_condition, {one.condition_id for one in gone}),
        ):
            for name in names:
                lists[name] = [one for one in lists[name] if id(one) not in out]
        # Where all of them have to stay there is more room before it is looked for again.
        self._full = max(self._most, len(self._all) + self._most // 10)
        return gone


def _insert(entries: list[Entry], entry: Entry) -> None:
    if not entries or entries[-1].sequence < entry.sequence:
        entries.append(entry)
    else:
        entries.insert(bisect_left(entries, entry.sequence, key=_sequence), entry)


def _sequence(entry: Entry) -> int:
    return entry.sequence


def _shares(entry: Entry) -> tuple[int, int]:
    return entry.shares_micros, entry.sequence


def _measured(entry: Entry) -> tuple[int, int]:
    return entry.usdc_micros, entry.sequence


def _shown(entry: Entry, shown_until: int | None) -> bool:
    return shown_until is None or entry.timestamp <= shown_until


def _matches(entry: Entry, query: Query) -> bool:
    measured = entry.usdc_micros if query.filter_type == "CASH" else entry.shares_micros
    return (
        (not query.kinds or entry.kind in query.kinds)
        and (query.conditions is None or entry.condition_id in query.conditions)
        and (not query.side or entry.side == query.side)
        and entry.timestamp >= query.start
        and (query.end is None or entry.timestamp <= query.end)
        and (not query.taker_only or entry.is_taker)
        and measured >= query.filter_micros
    )
