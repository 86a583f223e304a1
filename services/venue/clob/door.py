"""The CLOB's front: whatever is asked of it is answered in JSON, also what it does not know (venue.md 3)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from services.venue.clob.answers import answer


def clob(routes: Sequence[BaseRoute]) -> Mount:
    """`/clob` with these routes; other paths are a 404, other methods of them a 405."""
    return Mount("/clob", app=Starlette(routes=routes, exception_handlers={HTTPException: _unknown}))


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = answer({"error": error.detail}, error.status_code)
    told.headers.update(error.headers or {})
    return told
