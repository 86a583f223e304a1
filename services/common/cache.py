"""A read cache in Valkey or Redis: what it has saves a request, what it has not is read anew. It never holds a truth."""

from datetime import timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

PATIENCE_S = 0.05


class RedisCache:
    """Bytes by key. A cache that is slow, full or away is a cache that has nothing: no caller ever sees it fail."""

    def __init__(self, url: str, prefix: str) -> None:
        self._redis: Redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S
        )
        self._prefix = prefix

    async def get(self, key: str) -> bytes | None:
        try:
            found = await self._redis.get(f"{self._prefix}:{key}")
        except (RedisError, OSError):
            return None
        return found if isinstance(found, bytes) else None

    async def put(self, key: str, value: bytes, keep: timedelta) -> None:
        try:
            await self._redis.set(f"{self._prefix}:{key}", value, px=keep)
        except (RedisError, OSError) as error:
            log.debug("cache_away", error=type(error).__name__)

    async def close(self) -> None:
        await self._redis.aclose()
