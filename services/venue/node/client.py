"""Speaking JSON-RPC to the node, as the venue's other parts do."""

from __future__ import annotations

import itertools
from types import TracebackType
from typing import Any, Self

import httpx

from services.venue.node.errors import RpcError

Call = tuple[str, list[Any]]

MOST_AT_ONCE = 200
"""Calls of one request: below what the node takes, and few enough that others get a word in."""


class Node:
    """One node at `url` (http://…). Its methods raise RpcError as the node says it, httpx.HTTPError when it is away."""

    def __init__(self, url: str, client: httpx.AsyncClient | None = None) -> None:
        self.url = url.rstrip("/")
        self._client = client or httpx.AsyncClient(timeout=30)
        self._ids = itertools.count(1)

    @property
    def _door(self) -> str:
        """The venue's own way in, where no fault strikes."""
        return self.url + "/venue"

    @property
    def socket_url(self) -> str:
        return "ws" + self._door.removeprefix("http")

    async def call(self, method: str, *arguments: Any) -> Any:
        """The result of one call."""
        reply = await self._post(self._envelope(method, list(arguments)))
        return _result(reply)

    async def batch(self, calls: list[Call]) -> list[Any]:
        """The results of several calls in their order; the first error is raised."""
        return [_result(reply) for reply in await self._replies(calls)]

    async def outcomes(self, calls: list[Call]) -> list[Any]:
        """As `batch`, with an RpcError in the place of each call that failed."""
        return [_outcome(reply) for reply in await self._replies(calls)]

    async def _replies(self, calls: list[Call]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(calls), MOST_AT_ONCE):
            envelopes = [self._envelope(method, arguments) for method, arguments in calls[start : start + MOST_AT_ONCE]]
            replies = {reply["id"]: reply for reply in await self._post(envelopes)}
            found += [replies[envelope["id"]] for envelope in envelopes]
        return found

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _envelope(self, method: str, arguments: list[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": arguments}

    async def _post(self, message: Any) -> Any:
        response = await self._client.post(self._door, json=message)
        response.raise_for_status()
        return response.json()


def _outcome(reply: dict[str, Any]) -> Any:
    try:
        return _result(reply)
    except RpcError as error:
        return error


def _result(reply: dict[str, Any]) -> Any:
    if error := reply.get("error"):
        raise RpcError(error["code"], error["message"], error.get("data"))
    return reply["result"]
