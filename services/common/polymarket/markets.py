"""Markets and books: Gamma says what a market is, the CLOB what its orders must obey, the market channel what its book is."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from services.common.cache import RedisCache
from services.common.domain.market import Book, Market
from services.common.polymarket.books import BookFeed
from services.common.polymarket.environment import Endpoints
from services.common.polymarket.letters import Letters
from services.common.polymarket.live_book import Sparse
from services.common.polymarket.parse.clob import read_book
from services.common.polymarket.parse.gamma import (
    GammaMarket,
    build_market,
    is_position_id,
    read_clob_market,
    read_gamma_markets,
)
from services.common.polymarket.parse.payload import UnknownPayload
from services.common.polymarket.reads import Reads, client
from services.common.ports.clock import Clock
from services.common.ports.stores import DeadLetters
from services.common.ports.venue import VenueUnavailable

KEPT_S = 60.0
RENEWED_S = 20.0
UNKNOWN_KEPT_S = 5.0
DESCRIPTION_KEPT = timedelta(seconds=10)


class GammaMarkets:
    """`Markets`. A market is read again in the background while it is used, so that no decision waits for it twice."""

    def __init__(
        self, endpoints: Endpoints, clock: Clock, dead_letters: DeadLetters, cache: RedisCache | None = None
    ) -> None:
        self._letters = Letters(dead_letters, clock)
        self._gamma = Reads(client(endpoints.gamma_url), self._letters, cache)
        self._clob = Reads(client(endpoints.clob_url), self._letters)
        self._clock = clock
        self._feed = BookFeed(endpoints.market_ws_url, self._letters, clock, self._forget)
        self._known: dict[str, tuple[float, Market | None]] = {}
        self._reading: dict[str, asyncio.Task[Market | None]] = {}
        self._mids = Sparse()

    async def close(self) -> None:
        for task in self._reading.values():
            task.cancel()
        await self._feed.close()
        await self._gamma.close()
        await self._clob.close()

    async def by_token(self, token_id: str) -> Market | None:
        known = self._known.get(token_id)
        if known is None:
            return await asyncio.shield(self._read(token_id))
        age, market = self._clock.monotonic() - known[0], known[1]
        if age > (KEPT_S if market else UNKNOWN_KEPT_S):
            return await asyncio.shield(self._read(token_id))
        if age > RENEWED_S:
            self._read(token_id)
        return market

    async def book(self, token_id: str) -> Book | None:
        live = await self._feed.book(token_id)
        if live is not None:
            return live
        read = await self._clob.get(
            "/book", lambda payload: read_book(payload, self._clock.now()), source="book", params={"token_id": token_id}
        )
        return None if read is None else self._mids.judged(read, self._clock.monotonic())

    def _forget(self, token_id: str) -> None:
        """The grid of its prices has changed."""
        known = self._known.pop(token_id, None)
        for token in known[1].tokens if known and known[1] else ():
            self._known.pop(token.token_id, None)

    def _read(self, token_id: str) -> asyncio.Task[Market | None]:
        """The reading that is under way, or a new one: those who ask at the same time share it."""
        if token_id not in self._reading:
            task = self._reading[token_id] = asyncio.create_task(self._fetch(token_id))
            task.add_done_callback(lambda done: self._done(token_id, done))
        return self._reading[token_id]

    def _done(self, token_id: str, task: asyncio.Task[Market | None]) -> None:
        self._reading.pop(token_id, None)
        if not task.cancelled():
            task.exception()  # Whoever waits sees it; a reading in the background may fail unseen, the next one waits.

    async def _fetch(self, token_id: str) -> Market | None:
        gamma = await self._described(token_id)
        market = await self._confirmed(gamma) if gamma else None
        at = self._clock.monotonic()
        # What is too old to be used is not kept: markets come and go by the hundred a day.
        self._known = {token: known for token, known in self._known.items() if at - known[0] <= KEPT_S}
        self._mids.forget(at - KEPT_S)
        self._known[token_id] = (at, market)
        for token in market.tokens if market else ():
            self._known[token.token_id] = (at, market)
        return market

    async def _described(self, token_id: str) -> GammaMarket | None:
        # Resolved markets are left out unless they are asked for (venue.md 2), and so are those of the second protocol.
        named, version = ("position_ids", "v2") if is_position_id(token_id) else ("clob_token_ids", "v1")
        for closed in ("false", "true"):
            page = await self._gamma.get(
                "/markets/keyset",
                read_gamma_markets,
                source="gamma_markets",
                params={named: token_id, "version": version, "closed": closed, "include_tag": "true"},
                keep=DESCRIPTION_KEPT,
            )
            found = _having(token_id, page or ())
            if found is not None:
                return found
        return None

    async def _confirmed(self, gamma: GammaMarket) -> Market:
        clob = await self._clob.get(f"/clob-markets/{gamma.condition_id}", read_clob_market, source="clob_market")
        try:
            return build_market(gamma, clob, self._clock.now())
        except UnknownPayload as error:
            await self._letters.keep(error)
            raise VenueUnavailable(str(error)) from error


def _having(token_id: str, markets: Sequence[GammaMarket]) -> GammaMarket | None:
    return next((m for m in markets if token_id in (*m.clob_token_ids, *m.position_ids)), None)
