"""A WebSocket to the venue: it pings in the venue's own way (a text), and a socket that stays silent is dead."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from services.common.ports.venue import VenueUnavailable

CONNECT_S = 5.0
LARGEST_FRAME = 16 * 1024 * 1024
PING = "PING"


class Socket:
    """Text frames, the answers to pings among them: they prove that the other side lives."""

    def __init__(self, connection: ClientConnection, silence_s: float) -> None:
        self._connection = connection
        self._silence_s = silence_s

    async def send(self, text: str) -> None:
        """Raises `VenueUnavailable` when the socket is gone."""
        try:
            await self._connection.send(text)
        except (WebSocketException, OSError) as error:
            raise VenueUnavailable(f"socket: {type(error).__name__}") from error

    async def receive(self) -> str | bytes:
        """The next frame. Raises `VenueUnavailable` when the socket dies or goes silent."""
        try:
            async with asyncio.timeout(self._silence_s):
                return await self._connection.recv()
        except TimeoutError as error:
            raise VenueUnavailable(f"socket: silent for {self._silence_s:.0f} s") from error
        except (WebSocketException, OSError) as error:
            raise VenueUnavailable(f"socket: {type(error).__name__}") from error


@asynccontextmanager
async def opened(url: str, *, ping_every_s: float, silence_s: float) -> AsyncGenerator[Socket]:
    """A connected socket that pings until it is left. Raises `VenueUnavailable`."""
    try:
        connection = await connect(url, open_timeout=CONNECT_S, close_timeout=1, max_size=LARGEST_FRAME)
    except (WebSocketException, OSError, TimeoutError) as error:
        raise VenueUnavailable(f"socket: {type(error).__name__}") from error
    pinging = asyncio.create_task(_ping(connection, ping_every_s))
    try:
        yield Socket(connection, silence_s)
    finally:
        pinging.cancel()
        await asyncio.gather(pinging, return_exceptions=True)
        await connection.close()


async def _ping(connection: ClientConnection, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)  # clock: keeps a connection open, nothing is decided by it
        await connection.send(PING)
