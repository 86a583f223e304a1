"""Every mined fill by wallet and by market, in chain order: what the Data API reads from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.venue.data.query import Query
from services.venue.model import Fill

TRADE = "TRADE"


@dataclass(frozen=True, slots=True)
class Entry:
    """A fill and its place in the feed; `seen_at_ms` is when this feed learned of it."""

    sequence: int
    fill: Fill
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

    def catch_up(self) -> None:
        """Takes in what was mined since it was last called."""
        now_ms = self._now_ms()
        for place in range(len(self._entries), len(self._fills)):
            entry = Entry(place + 1, self._fills[place], now_ms)
            self._entries.append(entry)
            self._by_wallet[entry.fill.wallet.lower()].append(entry)

    def name(self, wallet: str) -> str:
        """What the trader calls himself; empty for a stranger."""
        return self._names.get(wallet.lower(), "")

    def of_wallet(self, wallet: str) -> list[Entry]:
        """All shown fills of a wallet, oldest first."""
        self.catch_up()
        return self._shown(self._by_wallet.get(wallet.lower(), ()))

    def everything(self) -> list[Entry]:
        self.catch_up()
        return self._shown(self._entries)

    def find(self, query: Query) -> list[Entry]:
        """Every entry that the query asks for, sorted, before any page is cut."""
        entries = self.of_wallet(query.user) if query.user else self.everything()
        found = [entry for entry in entries if _matches(entry.fill, query)]
        return sorted(found, key=_SORTS[query.sort_by], reverse=not query.ascending)

    def _shown(self, entries: Iterable[Entry]) -> list[Entry]:
        latest = self._now_ms() - self.lag_ms
        return [entry for entry in entries if entry.seen_at_ms <= latest]


_SORTS: dict[str, Callable[[Entry], tuple[int, int]]] = {
    "TIMESTAMP": lambda entry: (entry.fill.block_timestamp, entry.sequence),
    "TOKENS": lambda entry: (entry.fill.size_micros, entry.sequence),
    "CASH": lambda entry: (entry.fill.usdc_micros, entry.sequence),
}


def _matches(fill: Fill, query: Query) -> bool:
    measured = fill.usdc_micros if query.filter_type == "CASH" else fill.size_micros
    return (
        (not query.kinds or TRADE in query.kinds)
        and (not query.conditions or fill.condition_id in query.conditions)
        and (not query.side or str(fill.side) == query.side)
        and fill.block_timestamp >= query.start
        and (query.end is None or fill.block_timestamp <= query.end)
        and (not query.taker_only or str(fill.role) == "TAKER")
        and measured >= query.filter_micros
    )
