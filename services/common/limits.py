"""Rate limits as exact moving windows over all processes (security.md 7); a refused call consumes nothing of its class."""

import time
from collections.abc import Awaitable, Callable, Mapping
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from polycopy.common.v1 import error_pb2
from polycopy.options.v1 import access_pb2
from redis.exceptions import RedisError

from services.common.rpc.errors import Away, RateLimited

GENERAL = access_pb2.RATE_CLASS_GENERAL
# A limiter that hangs is one that is away: a call that may go uncounted is not held up until its deadline.
PATIENCE_S = 0.25

LIMITS: Mapping[int, RateLimitItem] = {
    GENERAL: RateLimitItemPerMinute(100, 15),
    access_pb2.RATE_CLASS_TRADING: RateLimitItemPerMinute(10),
    access_pb2.RATE_CLASS_ANALYTICS: RateLimitItemPerMinute(30),
    access_pb2.RATE_CLASS_ADMIN: RateLimitItemPerMinute(5),
}


class RedisQuota:
    """Counts calls in Redis. Without it reads are let through, and what changes something is refused."""

    def __init__(self, url: str, limits: Mapping[int, RateLimitItem] = LIMITS) -> None:
        self._storage = RedisStorage(
            f"async+{url}",
            wrap_exceptions=True,
            implementation="redispy",
            socket_timeout=PATIENCE_S,
            socket_connect_timeout=PATIENCE_S,
        )
        self._window = MovingWindowRateLimiter(self._storage)
        self._limits = limits

    async def take(self, who: str, rate_class: "access_pb2.RateClass.ValueType", *, reads_only: bool) -> None:
        """Count one call in its class and in general. Raises `RateLimited`, or `Away`."""
        try:
            # Looked at first: what the general limit refuses is not to use up its class.
            await self._pass(who, GENERAL, self._window.test)
            for one in dict.fromkeys((rate_class, GENERAL)):
                await self._pass(who, one, self._window.hit)
        except (StorageError, RedisError, OSError, TimeoutError) as error:
            if not reads_only:
                raise Away("limiter", error_pb2.ERROR_REASON_LIMITER_UNAVAILABLE) from error

    async def ping(self) -> None:
        """Answer, or raise `Away`."""
        try:
            well = await self._storage.check()
        except (StorageError, RedisError, OSError, TimeoutError):
            well = False
        if not well:
            raise Away("limiter", error_pb2.ERROR_REASON_LIMITER_UNAVAILABLE)

    async def _pass(self, who: str, rate_class: int, asked: Callable[..., Awaitable[bool]]) -> None:
        item = self._limits[rate_class]
        name = access_pb2.RateClass.Name(rate_class).removeprefix("RATE_CLASS_").lower()  # type: ignore[arg-type]
        if not await asked(item, who, name):
            stats = await self._window.get_window_stats(item, who, name)
            now = time.time()  # clock: the limiter counts in the server's wall time
            raise RateLimited(name, max(1, ceil(stats.reset_time - now)))
