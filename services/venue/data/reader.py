"""The feed as rows: what both versions of the Data API page through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import orjson

from services.venue.data.entries import TRADE, Entry
from services.venue.data.feed import Feed
from services.venue.data.query import Query
from services.venue.data.rows import Row, activity_v1, as_v2, conversion_v1, credit_v1, trade_v1
from services.venue.model import Market

_ACTIVITY, _ACTIVITY_V2, _TRADE, _TRADE_V2 = range(4)


class Reader:
    """Finds entries and writes them, each once: a row whose market has its labels never changes."""

    def __init__(self, feed: Feed, markets: Mapping[str, Market]) -> None:
        self.feed = feed
        self._markets = markets

    async def find(self, query: Query, before: int | None = None) -> Iterator[Entry]:
        """Rows of the query as of now."""
        await self.feed.refresh()
        return self.feed.find(query, before)

    def conditions_of(self, events: frozenset[str]) -> frozenset[str]:
        """The conditions of those events' markets."""
        return frozenset(one.condition_id for one in self._markets.values() if one.event_id in events)

    def activity(self, entry: Entry) -> orjson.Fragment:
        return self._written(entry, _ACTIVITY, self._activity)

    def activity_v2(self, entry: Entry) -> orjson.Fragment:
        return self._written(entry, _ACTIVITY_V2, lambda one: as_v2(self._activity(one)))

    def trade(self, entry: Entry) -> orjson.Fragment:
        return self._written(entry, _TRADE, self._trade)

    def trade_v2(self, entry: Entry) -> orjson.Fragment:
        return self._written(entry, _TRADE_V2, lambda one: as_v2(self._trade(one)))

    def _written(self, entry: Entry, version: int, write: Callable[[Entry], Row]) -> orjson.Fragment:
        if entry.written is None:
            entry.written = {}
        text = entry.written.get(version)
        if text is None:
            # A copy is as long as the text; what orjson hands out holds several times as much.
            text, market = bytes(memoryview(orjson.dumps(write(entry)))), self._markets.get(entry.condition_id)
            if market is None or market.labelled:
                entry.written[version] = text
        return orjson.Fragment(text)

    def _activity(self, entry: Entry) -> Row:
        name = self.feed.name(entry.wallet)
        if not entry.condition_id:
            return credit_v1(entry, name)
        market = self._markets[entry.condition_id]
        if entry.fill is not None:
            return activity_v1(entry.fill, market, name)
        return conversion_v1(entry, market, name)

    def _trade(self, entry: Entry) -> Row:
        if entry.fill is None:
            raise TypeError(f"a {entry.kind} is no {TRADE}")
        return trade_v1(entry.fill, self._markets[entry.condition_id], self.feed.name(entry.wallet))
