"""The user channel (venue.md 5.2): trades of an account's own orders, as soon as they are matched. It repeats nothing after a loss."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from services.common.polymarket.auth import Credentials
from services.common.polymarket.letters import Letters
from services.common.polymarket.parse.clob import ClobTrade
from services.common.polymarket.parse.payload import UnknownPayload
from services.common.polymarket.parse.streams import read_user_frames
from services.common.polymarket.socket import PING, Socket, opened
from services.common.ports.clock import Clock
from services.common.ports.stores import DeadLetters
from services.common.ports.venue import VenueTrade, VenueUnavailable

PING_EVERY_S = 10.0
SILENCE_S = 25.0
LONGEST_PAUSE_S = 5.0
KEPT_ORDERS = 1_000

log = structlog.get_logger()


class UserFeed:
    """`Feed` of one account. Live while its socket answers; what happened while it was not has to be looked up elsewhere."""

    def __init__(
        self,
        url: str,
        credentials: Callable[[], Awaitable[Credentials]],
        clock: Clock,
        dead_letters: DeadLetters,
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._letters = Letters(dead_letters, clock)
        self._clock = clock
        self._heard: dict[str, dict[str, VenueTrade]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._live = False

    @property
    def live(self) -> bool:
        return self._live

    def trades(self, order_hash: str) -> tuple[VenueTrade, ...]:
        return tuple(self._heard.get(order_hash, {}).values())

    async def told(self, order_hash: str, within: timedelta) -> tuple[VenueTrade, ...]:
        if not self._live or order_hash in self._heard:
            return self.trades(order_hash)
        news = self._news.setdefault(order_hash, asyncio.Event())
        try:
            async with asyncio.timeout(within.total_seconds()):
                await news.wait()
        except TimeoutError:
            return ()
        finally:
            self._news.pop(order_hash, None)
        return self.trades(order_hash)

    async def run(self) -> None:
        """Listen for ever: a socket that is lost is opened again."""
        pause_s = 0.1
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen()
            except VenueUnavailable as error:
                log.warning("user_feed_lost", text=str(error)[:200])
            finally:
                self._live = False
            pause_s = 0.1 if self._clock.monotonic() - began > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
            await self._clock.sleep(timedelta(seconds=pause_s))

    async def _listen(self) -> None:
        key = await self._credentials()
        auth = {"apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}
        async with opened(self._url, ping_every_s=PING_EVERY_S, silence_s=SILENCE_S) as socket:
            await socket.send(json.dumps({"auth": auth, "type": "user", "markets": []}))
            # Who is not let in hears nothing: the first answer to a ping shows that we are.
            await socket.send(PING)
            await self._take(socket)

    async def _take(self, socket: Socket) -> None:
        while True:
            frame = await socket.receive()
            self._live = True
            try:
                for event in read_user_frames(frame):
                    if isinstance(event, ClobTrade):
                        self._keep(event)
            except UnknownPayload as error:
                await self._letters.keep(error)
                # What it said is not known, so nobody may take silence for an answer.
                raise VenueUnavailable("user channel: a frame that is not known") from error

    def _keep(self, trade: ClobTrade) -> None:
        for part in trade.parts:
            seen = trade.of(part.order_hash)
            if seen is None:
                continue
            self._heard.setdefault(part.order_hash, {})[trade.trade_id] = seen
            if part.order_hash in self._news:
                self._news[part.order_hash].set()
        while len(self._heard) > KEPT_ORDERS:
            self._heard.pop(next(iter(self._heard)))
