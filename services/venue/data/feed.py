"""Everything mined, by wallet, in chain order: what the Data API reads from."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.venue.data.conversions import Conversion
from services.venue.data.query import Query
from services.venue.model import Fill

TRADE = "TRADE"
_BLOCK = 1 << 32
_AFTER_CONVERSIONS = 1 << 31


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the feed. `sequence` orders them as the chain does; `seen_at_ms` is when this feed learned of it."""

    sequence: int
    kind: str
    wallet: str
    condition_id: str
    timestamp: int
    side: str
    is_taker: bool
    shares_micros: int
    usdc_micros: int
    source: Fill | Conversion
    seen_at_ms: int


class Feed:
    """Reads the exchange's append-only list of fills when asked. Rows younger than `lag_ms` are not shown yet."""

    def __init__(
        self, fills: Sequence[Fill], names: Mapping[str, str], now_ms: Callable[[], int], *, lag_ms: int = 0
    ) -> None:
        self.lag_ms = lag_ms
        self._fills = fills
        self._names = {address.lower(): name for address, name in names.items()}
        self._now_ms = now_ms
        self._entries: list[Entry] = []
        self._by_wallet: dict[str, list[Entry]] = defaultdict(list)
        self._fills_taken = 0
        self._conversions_taken = 0

    def name(self, wallet: str) -> str:
        """What the trader calls himself; empty for a stranger."""
        return self._names.get(wallet.lower(), "")

    def take(self, conversions: Sequence[Conversion]) -> None:
        """Hands in all conversions so far: those that are new become rows."""
        for one in conversions[self._conversions_taken :]:
            self._add(_of_conversion(one, self._now_ms()))
        self._conversions_taken = len(conversions)

    def fills_of(self, wallet: str) -> list[Fill]:
        """All shown fills of a wallet, oldest first."""
        self._catch_up()
        shown = self._shown(self._by_wallet.get(wallet.lower(), ()))
        return [entry.source for entry in shown if isinstance(entry.source, Fill)]

    def find(self, query: Query) -> list[Entry]:
        """Every entry that the query asks for, sorted, before any page is cut."""
        self._catch_up()
        entries = self._by_wallet.get(query.user, ()) if query.user else self._entries
        found = [entry for entry in self._shown(entries) if _matches(entry, query)]
        return sorted(found, key=_SORTS[query.sort_by], reverse=not query.ascending)

    def _catch_up(self) -> None:
        now_ms = self._now_ms()
        for place in range(self._fills_taken, len(self._fills)):
            self._add(_of_fill(self._fills[place], place, now_ms))
        self._fills_taken = len(self._fills)

    def _add(self, entry: Entry) -> None:
        # Both kinds arrive in chain order, so each lands at or near the end.
        insort(self._entries, entry, key=lambda one: one.sequence)
        insort(self._by_wallet[entry.wallet], entry, key=lambda one: one.sequence)

    def _shown(self, entries: Iterable[Entry]) -> list[Entry]:
        latest = self._now_ms() - self.lag_ms
        return [entry for entry in entries if entry.seen_at_ms <= latest]


_SORTS: dict[str, Callable[[Entry], tuple[int, int]]] = {
    "TIMESTAMP": lambda entry: (entry.timestamp, entry.sequence),
    "TOKENS": lambda entry: (entry.shares_micros, entry.sequence),
    "CASH": lambda entry: (entry.usdc_micros, entry.sequence),
}


def _of_fill(fill: Fill, place: int, now_ms: int) -> Entry:
    return Entry(
        sequence=fill.block_number * _BLOCK + _AFTER_CONVERSIONS + place,
        kind=TRADE,
        wallet=fill.wallet.lower(),
        condition_id=fill.condition_id,
        timestamp=fill.block_timestamp,
        side=str(fill.side),
        is_taker=str(fill.role) == "TAKER",
        shares_micros=fill.size_micros,
        usdc_micros=fill.usdc_micros,
        source=fill,
        seen_at_ms=now_ms,
    )


def _of_conversion(one: Conversion, now_ms: int) -> Entry:
    return Entry(
        sequence=one.block_number * _BLOCK + one.log_index,
        kind=one.kind,
        wallet=one.wallet,
        condition_id=one.condition_id,
        timestamp=one.block_timestamp,
        side="",
        is_taker=False,
        shares_micros=one.amount_micros,
        usdc_micros=one.amount_micros,
        source=one,
        seen_at_ms=now_ms,
    )


def _matches(entry: Entry, query: Query) -> bool:
    measured = entry.usdc_micros if query.filter_type == "CASH" else entry.shares_micros
    return (
        (not query.kinds or entry.kind in query.kinds)
        and (not query.conditions or entry.condition_id in query.conditions)
        and (not query.side or entry.side == query.side)
        and entry.timestamp >= query.start
        and (query.end is None or entry.timestamp <= query.end)
        and (not query.taker_only or entry.is_taker)
        and measured >= query.filter_micros
    )
