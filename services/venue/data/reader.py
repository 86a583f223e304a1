"""The feed as rows: what both versions of the Data API page through."""

from __future__ import annotations

from collections.abc import Mapping

from services.venue.data.conversions import Conversions
from services.venue.data.feed import Entry, Feed
from services.venue.data.query import Query
from services.venue.data.rows import Row, activity_v1, conversion_v1, trade_v1
from services.venue.model import Fill, Market


class Reader:
    """Finds entries and writes them as version 1 spells them. Entries of markets that are not listed are left out."""

    def __init__(self, feed: Feed, conversions: Conversions, markets: Mapping[str, Market]) -> None:
        self.feed = feed
        self._conversions = conversions
        self._markets = markets

    async def activity(self, query: Query) -> list[Entry]:
        """Trades, splits, merges and redemptions."""
        self.feed.take(await self._conversions.read())
        return [entry for entry in self.feed.find(query) if entry.condition_id in self._markets]

    def trades(self, query: Query) -> list[Entry]:
        return self.feed.find(query)

    def activity_row(self, entry: Entry) -> Row:
        market, name = self._markets[entry.condition_id], self.feed.name(entry.wallet)
        if isinstance(entry.source, Fill):
            return activity_v1(entry.source, market, name)
        return conversion_v1(entry.source, market, name)

    def trade_row(self, entry: Entry) -> Row:
        if not isinstance(entry.source, Fill):
            raise TypeError(f"a {entry.kind} is no trade")
        return trade_v1(entry.source, self._markets[entry.condition_id], self.feed.name(entry.wallet))
