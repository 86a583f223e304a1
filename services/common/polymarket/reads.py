"""Reads over HTTP from one of the venue's services: an answer that was understood, or `VenueUnavailable`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import TypeVar

import httpx

from services.common.cache import RedisCache
from services.common.polymarket.letters import Letters
from services.common.polymarket.parse.payload import UnknownPayload, decode
from services.common.ports.venue import VenueUnavailable

T = TypeVar("T")

TIMEOUT_S = 5.0
CONNECT_S = 2.0

Params = Mapping[str, str] | Sequence[tuple[str, str]]


def client(base_url: str) -> httpx.AsyncClient:
    """A client with warm connections. It never repeats a request: whether that is safe is for its caller to know."""
    return httpx.AsyncClient(
        base_url=base_url.rstrip("/") + "/",
        http2=base_url.startswith("https"),
        timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_S),
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=60.0),
        headers={"user-agent": "polycopy"},
    )


class Reads:
    """GET requests below one base URL; with a cache, what may be kept is shared with other processes."""

    def __init__(self, http: httpx.AsyncClient, letters: Letters, cache: RedisCache | None = None) -> None:
        self._http = http
        self._letters = letters
        self._cache = cache

    async def get(
        self,
        path: str,
        read: Callable[[object], T],
        *,
        source: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        keep: timedelta | None = None,
    ) -> T | None:
        """The answer as `read` understands it; None for a 404. With `keep`, an answer may be as old as that.

        Raises `VenueUnavailable` for every other failure, a body that `read` does not know among them.
        """
        body = await self._kept(path, params, keep) if keep else await self._body(path, params, headers)
        if body is None:
            return None
        try:
            return read(decode(source, body))
        except UnknownPayload as error:
            await self._letters.keep(error)
            raise VenueUnavailable(f"{path}: {error}") from error

    async def _kept(self, path: str, params: Params | None, keep: timedelta) -> bytes | None:
        key = f"{self._http.base_url}{path}?{httpx.QueryParams(_query(params))}"
        known = await self._cache.get(key) if self._cache else None
        if known is not None:
            return known
        body = await self._body(path, params, None)
        if body is not None and self._cache:
            await self._cache.put(key, body, keep)
        return body

    async def _body(self, path: str, params: Params | None, headers: Mapping[str, str] | None) -> bytes | None:
        answer = await self._fetch(path, params, headers)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:
            raise VenueUnavailable(f"{path}: HTTP {answer.status_code}")
        return answer.content

    async def _fetch(self, path: str, params: Params | None, headers: Mapping[str, str] | None) -> httpx.Response:
        try:
            # A body that arrives byte by byte never trips a read timeout, so the whole exchange has one as well.
            async with asyncio.timeout(TIMEOUT_S):
                return await self._http.get(path.lstrip("/"), params=_query(params), headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise VenueUnavailable(f"{path}: {type(error).__name__}") from error

    async def close(self) -> None:
        await self._http.aclose()


def _query(params: Params | None) -> list[tuple[str, str | int | float | bool | None]]:
    pairs = params.items() if isinstance(params, Mapping) else params or ()
    return list(pairs)
