"""Open sockets and event streams: how many a user holds, and how long his token lets him."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from polycopy.common.v1 import error_pb2

from services.common.ports.clock import Clock
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.caller import TokenVerifier
from services.common.rpc.errors import Away, PolyCopyError, Unauthenticated
from services.gateway.upstream import Refused

LOOK = timedelta(seconds=4)


class Sessions:
    """Admits at most `most` sessions per user, and ends each one when its token expires or is revoked."""

    def __init__(self, verifier: TokenVerifier, clock: Clock, most: int, look: timedelta = LOOK) -> None:
        self._verifier = verifier
        self._clock = clock
        self._most = most
        self._look = look
        self._held: Counter[str] = Counter()
        self.stopping = asyncio.Event()

    @asynccontextmanager
    async def hold(self, token: str) -> AsyncGenerator[None]:
        """A session for as long as the block runs. Raises `Refused`."""
        address = await self._address(token)
        if self._held[address] >= self._most:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many open streams", "RATE_LIMITED", {}, {"retry-after": "5"}
            )
        self._held[address] += 1
        try:
            yield
        finally:
            self._held[address] -= 1
            if not self._held[address]:
                del self._held[address]

    async def until_over(self, token: str) -> None:
        """Wait until the token is no longer good. A store that is away ends nothing: every service still holds its own gate."""
        while True:
            await self._clock.sleep(self._look)
            try:
                await self._verifier.verify(token, fresh=True)
            except Unauthenticated:
                return
            except StoreUnavailable:
                continue

    async def _address(self, token: str) -> str:
        try:
            return (await self._verifier.verify(token)).address
        except PolyCopyError as error:
            raise _refused(error) from error
        except StoreUnavailable as error:
            raise _refused(Away("store", error_pb2.ERROR_REASON_STORE_UNAVAILABLE)) from error


def _refused(error: PolyCopyError) -> Refused:
    return Refused(error.code, error.text, error.reason_name, error.metadata)
