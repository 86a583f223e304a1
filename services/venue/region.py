"""Where requests come from, as the venue's website tells, and whether orders from there are taken (venue.md 8)."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue import refusals
from services.venue.body import asked, flag
from services.venue.clob.answers import endpoint
from services.venue.faults.registry import Note
from services.venue.model import PostedOrder, Side
from services.venue.refusals import Refusal

NAMES = ("blocked", "close_only", "country", "region")
_COUNTRY, _REGION = re.compile("[A-Z]{2}"), re.compile("[A-Z0-9]{0,3}")


class Region:
    """One place for everybody, since everybody here is at the same address. `/admin/geoblock` moves it."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._blocked = self._close_only = False
        self._country, self._region = "IE", "L"

    def routes(self) -> list[Route]:
        return [
            Route("/api/geoblock", endpoint(self.tell)),
            Route("/admin/geoblock", endpoint(self.move), methods=["POST"]),
        ]

    def check(self) -> None:
        """Raises what orders from a blocked place hear."""
        if self._blocked:
            raise refusals.elsewhere()

    def check_order(self, posted: PostedOrder) -> None:
        """Raises what an order hears that opens something, from a place where one may only close."""
        if self._close_only and posted.side is Side.BUY:
            raise refusals.elsewhere()

    async def tell(self, request: Request) -> Any:
        place = {"country": self._country, "region": self._region}
        return {"blocked": self._blocked, "ip": request.client.host if request.client else "", **place}

    async def move(self, request: Request) -> Any:
        """Any of `blocked`, `close_only` (sales pass), `country` (two letters), `region`."""
        body = await asked(request, *NAMES)
        blocked, close_only = flag(body, "blocked", self._blocked), flag(body, "close_only", self._close_only)
        country, region = (
            str(body.get(name, now)) for name, now in (("country", self._country), ("region", self._region))
        )
        if not _COUNTRY.fullmatch(country) or not _REGION.fullmatch(region):
            raise Refusal("country: expected two capital letters, region: at most three letters or digits")
        self._blocked, self._close_only = blocked, close_only
        self._country, self._region = country, region
        place = {"country": country, "region": region}
        self._note("switched", name="geoblock", values={"blocked": blocked, "close_only": close_only, **place})
        return await self.tell(request)
