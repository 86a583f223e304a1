"""One connection of a channel: what ends it, and what its client and we are told of that."""

import asyncio
from typing import Any

import orjson
import pytest
from starlette.websockets import WebSocket

from services.venue.clock import Clock
from services.venue.credentials import Credentials
from services.venue.rtds import MOST_SUBSCRIPTIONS, Rtds
from services.venue.sockets.connection import Connection, Manners, TooMuch
from services.venue.sockets.market import MOST_TOKENS, MarketChannel
from services.venue.sockets.user import MOST_MARKETS, UserChannel
from tests.patience import PATIENT_S


class Wire:
    """A client that sends `texts` and then stays; `sent` is what came back."""

    def __init__(self, *texts: str) -> None:
        self.sent: list[Any] = []
        self.answered = asyncio.Event()
        self._coming = [{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": text} for text in texts)]

    async def receive(self) -> Any:
        if not self._coming:
            await asyncio.Event().wait()
        return self._coming.pop(0)

    async def send(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.sent.append(message)
        if message.get("text"):
            self.answered.set()

    @property
    def socket(self) -> WebSocket:
        return WebSocket({"type": "websocket", "path": "/", "headers": []}, self.receive, self.send)

    @property
    def ending(self) -> tuple[int, str]:
        (close,) = [one for one in self.sent if one["type"] == "websocket.close"]
        return close["code"], close["reason"]


async def serving(wire: Wire, heard: Any, *beside: Any) -> None:
    socket = wire.socket
    await socket.accept()
    async with asyncio.timeout(PATIENT_S):
        await Connection(socket, Manners(60_000)).serve(heard, *beside)


def test_a_channel_waits_as_long_as_the_real_one_for_a_ping():
    market, user, rtds = (
        MarketChannel(Nothing(), Clock()),
        UserChannel(Nothing(), Credentials(1)),
        Rtds({}, str, str, int),
    )  # type: ignore[arg-type]

    assert [one.manners.silent_ms for one in (market, user, rtds)] == [125_000, 125_000, 360_000]
    assert [(one.manners.pong, one.manners.resets) for one in (market, user, rtds)] == [
        ("PONG", True),
        ("PONG", True),
        ("", False),
    ]


async def test_an_error_in_hearing_a_frame_is_raised_and_not_a_quiet_goodbye():
    def heard(text: str) -> bool:
        raise KeyError(text)

    with pytest.raises(KeyError, match="a frame"):
        await serving(Wire("a frame"), heard)


async def test_an_error_of_what_goes_on_beside_is_raised_too():
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await serving(Wire(), lambda _: True, broken())


async def test_who_wants_too_much_is_told_so_with_the_end_of_the_connection():
    def heard(text: str) -> bool:
        raise TooMuch("too many tokens")

    wire = Wire("a frame")
    await serving(wire, heard)

    assert wire.ending == (1008, "too many tokens")


class Nothing:
    """An exchange where nothing is and nothing happens."""

    def subscribe(self, heard: Any) -> None:
        del heard

    def book(self, token: str) -> None:
        del token


async def told(channel: Any, wire: Wire) -> Wire:
    async with asyncio.timeout(PATIENT_S):
        await channel.serve(wire.socket)
    return wire


def frames(name: str, most: int) -> list[str]:
    """As many names as are kept for one, and then one more; those too long for an id do not count."""
    names = [f"{number:077}" for number in range(most)]
    lists = [names, names, ["9" * 101], ["one more"]]
    return [orjson.dumps({name: one, "type": "market"}).decode() for one in lists]


async def test_a_subscriber_keeps_as_many_tokens_as_there_can_be_and_no_more():
    channel: Any = MarketChannel(Nothing(), Clock())  # type: ignore[arg-type]

    wire = await told(channel, Wire(*frames("assets_ids", MOST_TOKENS)))

    assert wire.ending == (1008, f"too many tokens: at most {MOST_TOKENS} in one connection")
    assert not channel._of_token


async def test_an_owner_keeps_as_many_markets_as_there_can_be_and_no_more():
    channel = UserChannel(Nothing(), Credentials(1))  # type: ignore[arg-type]

    wire = await told(channel, Wire(*frames("markets", MOST_MARKETS + 1)))

    assert wire.ending == (1008, f"too many markets: at most {MOST_MARKETS} in one connection")


async def test_a_listener_of_the_firehose_keeps_so_many_subscriptions_and_is_refused_one_more():
    def frame(first: int, last: int) -> str:
        filters = (f'{{"symbol":"{number}"}}' for number in range(first, last))
        wanted = [{"topic": "crypto_prices", "type": "update", "filters": one} for one in filters]
        return orjson.dumps({"action": "subscribe", "subscriptions": wanted}).decode()

    rtds = Rtds({}, str, str, lambda: 0)
    wire = Wire(frame(0, MOST_SUBSCRIPTIONS), frame(MOST_SUBSCRIPTIONS, MOST_SUBSCRIPTIONS + 1))
    serving_it = asyncio.create_task(rtds.serve(wire.socket))
    async with asyncio.timeout(PATIENT_S):
        await wire.answered.wait()
    serving_it.cancel()

    assert orjson.loads(wire.sent[1]["text"])["body"]["message"] == (
        f"too many subscriptions: at most {MOST_SUBSCRIPTIONS} in one connection"
    )
