"""The Data API, version 2 (venue.md 1.2): rows of trades as hints, and positions."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import count

from services.common.polymarket.environment import Endpoints
from services.common.polymarket.letters import Letters
from services.common.polymarket.parse.activity import Page, read_page, read_position, read_row
from services.common.polymarket.parse.payload import Fields, UnknownPayload
from services.common.polymarket.reads import Reads, client
from services.common.ports.clock import Clock
from services.common.ports.stores import DeadLetters
from services.common.ports.venue import Hint, PublicPosition, VenueUnavailable

PAGE = 1_000
MOST_PAGES = 100


class DataApiActivity:
    """`Activity`. Every request carries a parameter of its own: answers are cached by URL, for minutes (venue.md 1.4)."""

    def __init__(self, endpoints: Endpoints, clock: Clock, dead_letters: DeadLetters) -> None:
        self._letters = Letters(dead_letters, clock)
        self._reads = Reads(client(endpoints.data_api_url), self._letters)
        self._clock = clock
        self._numbers: Iterator[int] = count(int(clock.now().timestamp() * 1_000_000))

    async def close(self) -> None:
        await self._reads.close()

    async def trades(self, wallet: str, start: datetime) -> tuple[Hint, ...]:
        """A row that is not known is kept as a dead letter and left out: the others are hints all the same."""
        hints: list[Hint] = []
        filters = {"user": wallet, "taker_only": "false", "start": str(int(start.timestamp()))}
        async for row in self._rows("/v2/trades", filters):
            try:
                trade = read_row(row)
            except UnknownPayload as error:
                await self._letters.keep(error)
                continue
            hints.append(Hint(trade.tx_hash, wallet.lower(), "activity", self._clock.now(), trade.traded_at))
        return tuple(hints)

    async def positions(self, wallet: str) -> tuple[PublicPosition, ...]:
        """Raises `VenueUnavailable` also for a row that is not known: without it the list would be wrong."""
        found: list[PublicPosition] = []
        async for row in self._rows("/v2/positions", {"user": wallet, "filter_amount": "0"}):
            try:
                found.append(read_position(row))
            except UnknownPayload as error:
                await self._letters.keep(error)
                raise VenueUnavailable(f"/v2/positions: {error}") from error
        return tuple(found)

    async def _rows(self, path: str, filters: dict[str, str]) -> AsyncIterator[Fields]:
        cursor = ""
        for _ in range(MOST_PAGES):
            page = await self._page(path, {**filters, "limit": str(PAGE)}, cursor)
            for row in page.rows:
                yield row
            if not page.cursor:
                return
            cursor = page.cursor
        raise VenueUnavailable(f"{path}: more than {MOST_PAGES} pages")

    async def _page(self, path: str, filters: dict[str, str], cursor: str) -> Page:
        source = f"data_api{path.replace('/', '_')}"
        params = {**filters, **({"cursor": cursor} if cursor else {}), "_": str(next(self._numbers))}
        page = await self._reads.get(path, lambda payload: read_page(source, payload), source=source, params=params)
        if page is None:
            raise VenueUnavailable(f"{path}: HTTP 404")
        return page
