"""Books kept warm by the market channel: a token is subscribed when it is first asked for, and its book costs no request from then on."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

import structlog

from services.common.domain.market import Book
from services.common.polymarket.letters import Letters
from services.common.polymarket.live_book import LiveBook
from services.common.polymarket.parse.payload import UnknownPayload
from services.common.polymarket.parse.streams import LevelChange, MarketFrame, TickChange, read_market_frames
from services.common.polymarket.socket import Socket, opened
from services.common.ports.clock import Clock
from services.common.ports.venue import VenueUnavailable

PING_EVERY_S = 10.0
SILENCE_S = 15.0
FIRST_BOOK_S = 1.0
LONGEST_PAUSE_S = 5.0
UNUSED_S = 600.0
"""A book that nobody has asked for so long is let go: markets come by the hundred a day, and their books would stay for ever."""

log = structlog.get_logger()


class BookFeed:
    """One socket for every token that was asked for. While it is away no book is live, and callers read over REST instead."""

    def __init__(self, url: str, letters: Letters, clock: Clock, on_tick: Callable[[str], None]) -> None:
        self._url = url
        self._letters = letters
        self._clock = clock
        self._on_tick = on_tick
        self._books: dict[str, LiveBook] = {}
        self._arrived: dict[str, asyncio.Event] = {}
        self._used: dict[str, float] = {}
        self._socket: Socket | None = None
        self._running: asyncio.Task[None] | None = None

    async def book(self, token_id: str) -> Book | None:
        """The live book; None while there is none, after waiting a little for the first."""
        self._used[token_id] = self._clock.monotonic()
        known = self._books.get(token_id)
        if known is None:
            await self._subscribe(token_id)
            known = self._books[token_id]
        return known.book(self._clock.now(), self._clock.monotonic()) if known.live else None

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _let_go(self) -> None:
        """Books that are of no use any more."""
        since = self._clock.monotonic() - UNUSED_S
        unused = [token for token in self._books if self._used[token] < since]
        for token in unused:
            del self._books[token], self._arrived[token], self._used[token]
        if unused and self._socket is not None:
            await self._say(self._socket, {"operation": "unsubscribe", "assets_ids": unused})

    async def _subscribe(self, token_id: str) -> None:
        self._books[token_id] = LiveBook(token_id)
        arrived = self._arrived[token_id] = asyncio.Event()
        await self._let_go()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        elif self._socket is not None:
            await self._ask(self._socket, [token_id], first=False)
        try:
            async with asyncio.timeout(FIRST_BOOK_S):
                await arrived.wait()
        except TimeoutError:
            return

    async def _ask(self, socket: Socket, tokens: list[str], *, first: bool) -> None:
        wanted = {"assets_ids": tokens, "custom_feature_enabled": True}
        await self._say(socket, {"type": "market", **wanted} if first else {"operation": "subscribe", **wanted})

    async def _say(self, socket: Socket, request: Mapping[str, object]) -> None:
        try:
            await socket.send(json.dumps(request))
        except VenueUnavailable:
            # The socket's own reader sees it die as well, and asks for every token again.
            return

    async def _run(self) -> None:
        pause = 0.1
        while True:
            began = self._clock.monotonic()
            try:
                async with opened(self._url, ping_every_s=PING_EVERY_S, silence_s=SILENCE_S) as socket:
                    await self._listen(socket)
            except VenueUnavailable as error:
                log.warning("book_feed_lost", text=str(error))
            finally:
                self._socket = None
                for book in self._books.values():
                    book.live = False
            pause = 0.1 if self._clock.monotonic() - began > LONGEST_PAUSE_S else min(2 * pause, LONGEST_PAUSE_S)
            await self._clock.sleep(timedelta(seconds=pause))

    async def _listen(self, socket: Socket) -> None:
        asked = list(self._books)
        await self._ask(socket, asked, first=True)
        self._socket = socket
        later = [token for token in self._books if token not in asked]
        if later:
            await self._ask(socket, later, first=False)
        while True:
            await self._frame(await socket.receive())

    async def _frame(self, text: str | bytes) -> None:
        try:
            frames = read_market_frames(text, self._clock.now())
        except UnknownPayload as error:
            await self._letters.keep(error)
            # What it said is not known, so neither are the books that it may have changed.
            raise VenueUnavailable("market channel: a frame that is not known") from error
        for frame in frames:
            self._apply(frame)
        self._check(frame for frame in frames if isinstance(frame, LevelChange))

    def _apply(self, frame: MarketFrame) -> None:
        now = self._clock.monotonic()
        match frame:
            case Book() if frame.token_id in self._books:
                self._books[frame.token_id].whole(frame, now)
                self._arrived[frame.token_id].set()
            case LevelChange() if frame.token_id in self._books:
                self._books[frame.token_id].change(frame, now)
            case TickChange():
                self._on_tick(frame.token_id)
            case _:
                pass

    def _check(self, changes: Iterable[LevelChange]) -> None:
        last = {change.token_id: change for change in changes}
        for token_id, change in last.items():
            book = self._books.get(token_id)
            if book is not None and book.live and not book.agrees(change):
                raise VenueUnavailable("market channel: a gap")
