"""The accounts' own channel of the simulated venue: frames come before the answer to the order, late, twice, or never."""

import asyncio
import json
from decimal import Decimal

from services.common.domain.money import MICRO
from services.common.polymarket.auth import Credentials
from services.common.polymarket.user_feed import UserFeed
from services.common.ports.clock import Clock
from services.common.ports.stores import DeadLetters
from services.common.ports.venue import VenueTrade, VenueUnavailable
from tests.simulation.process import Process
from tests.simulation.weather import Weather

PONG = "PONG"
PONG_S = 10.0
LATE_S = 15.0
LOST = ""


class SimChannel:
    """Tells whoever listens of each trade of the account, and of what becomes of it."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._dice = weather.dice("channel")
        self._sockets: list[SimSocket] = []

    def opened(self, process: Process) -> "SimSocket":
        socket = SimSocket(process, self._weather)
        self._sockets = [one for one in self._sockets if one.is_open] + [socket]
        return socket

    def tell(self, trade: VenueTrade) -> None:
        text, dice = _frame(trade), self._dice
        kind = self._weather.told_kind(dice)
        soon, late = dice.uniform(0, 0.05), dice.uniform(0.5, LATE_S)
        delays = {"once": [soon], "late": [late], "twice": [soon, soon], "both": [soon, late], "never": []}[kind]
        for socket in self._sockets:
            for delay in delays:
                asyncio.get_running_loop().call_later(delay, socket.hear, text)


class SimSocket:
    """One process's connection. What it has heard and not read is lost with it."""

    def __init__(self, process: Process, weather: Weather) -> None:
        self._process = process
        self._frames: asyncio.Queue[str] = asyncio.Queue()
        self._frames.put_nowait(PONG)
        self._open = True
        if weather.strikes(weather.channel, dice := process.dice("channel")):
            asyncio.get_running_loop().call_later(dice.uniform(0.5, 20), self.hear, LOST)

    @property
    def is_open(self) -> bool:
        return self._open and self._process.alive

    def hear(self, text: str) -> None:
        if self.is_open:
            self._frames.put_nowait(text)

    async def receive(self) -> str:
        """The next frame. Raises `VenueUnavailable` once the connection is lost."""
        text = await self._frames.get()
        await self._process.thawed()
        if text is LOST:
            self._open = False
            raise VenueUnavailable("simulated")
        return text


class SimUserFeed(UserFeed):
    """The production code over a simulated socket."""

    def __init__(self, process: Process, channel: SimChannel, clock: Clock, dead_letters: DeadLetters) -> None:
        super().__init__("", _no_credentials, clock, dead_letters)
        self._process = process
        self._channel = channel

    async def _listen(self) -> None:
        await self._take(self._channel.opened(self._process))  # type: ignore[arg-type]


async def _no_credentials() -> Credentials:
    raise AssertionError("a simulated socket asks for no credentials")


def _frame(trade: VenueTrade) -> str:
    event = {
        "event_type": "trade",
        "id": trade.trade_id,
        "market": trade.condition_id,
        "status": str(trade.status),
        "transaction_hash": trade.tx_hash,
        "match_time": str(int(trade.matched_at.timestamp())),
        "taker_order_id": trade.order_hash,
        "asset_id": trade.token_id,
        "side": str(trade.side),
        "size": str(Decimal(trade.shares_micros) / MICRO),
        "price": str(Decimal(trade.price_micros) / MICRO),
        "maker_orders": [],
    }
    return json.dumps(event)
