"""How Gamma answers, refuses and pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response

from services.venue.answer import answer
from services.venue.data.cursor import read_cursor, write_cursor
from services.venue.data.query import Arguments, BadQuery, joined
from services.venue.data.rows import Row
from services.venue.node.errors import RpcError

MOST = 100
LISTING = {"cache-control": "public, max-age=300"}

Handler = Callable[[Arguments, Mapping[str, str]], Any]


class Absent(Exception):
    """There is nothing of that id."""


def endpoint(
    handler: Handler, refresh: Callable[[], Awaitable[None]], headers: Mapping[str, str] | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """The handler's value as JSON. It is given the query and what the path says; what it has not read is refused."""

    async def answered(request: Request) -> Response:
        arguments = Arguments(joined(request.query_params.multi_items()))
        try:
            await refresh()
            body = handler(arguments, request.path_params)
            arguments.finish()
        except BadQuery as refused:
            return answer({"type": "validation error", "error": str(refused)}, 422)
        except Absent:
            return answer({"type": "not found error", "error": "id not found"}, 404)
        except (httpx.HTTPError, RpcError):
            return answer({"type": "internal error", "error": "service unavailable"}, 503, {"retry-after": "1"})
        return answer(body, headers=headers)

    return answered


def deprecated(instead: str) -> dict[str, str]:
    """What lists by offset say of themselves, and which path is to be asked `instead`."""
    return {
        "deprecation": "true",
        "sunset": "Fri, 01 May 2026 00:00:00 GMT",
        "warning": f'299 - "Offset pagination is deprecated, use {instead}"',
    }


async def nowhere(request: Request) -> Response:
    """Whatever no other route has taken."""
    if request.method == "GET":
        return answer({"type": "not found error", "error": "path not found"}, 404)
    return answer({"type": "method error", "error": "method not allowed"}, 405)


def keyset(name: str, found: Sequence[Any], arguments: Arguments, write: Callable[[Any], Row]) -> Row:
    """One page after the cursor; a limit beyond the most is the most."""
    limit, cursor = min(arguments.number("limit", default=20), MOST), arguments.text("after_cursor")
    filters = {key: value for key, value in arguments.filters().items() if key != "after_cursor"}
    done = int(read_cursor(name, cursor, filters)["d"]) if cursor else 0
    page: Row = {name: [write(one) for one in found[done : done + limit]]}
    if len(found) > done + limit > done:
        page["next_cursor"] = write_cursor(name, {"d": done + limit}, filters)
    return page


def offset(found: Sequence[Any], arguments: Arguments, write: Callable[[Any], Row], most: int = MOST) -> list[Row]:
    """One page after so many rows."""
    limit, done = min(arguments.number("limit", default=20), most), arguments.number("offset", default=0)
    return [write(one) for one in found[done : done + limit]]
