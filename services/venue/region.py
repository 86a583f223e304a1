"""Where requests come from, as the venue's website tells, and whether orders from there are taken (venue.md 8)."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue import refusals
from services.venue.clob.answers import endpoint
from services.venue.clob.parse import fields, read_body
from services.venue.refusals import Refusal

_COUNTRY, _REGION = re.compile("[A-Z]{2}"), re.compile("[A-Z0-9]{0,3}")


class Region:
    """One place for everybody, since everybody here is at the same address. `/admin/geoblock` moves it."""

    def __init__(self) -> None:
        self._blocked = False
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

    async def tell(self, request: Request) -> Any:
        place = {"country": self._country, "region": self._region}
        return {"blocked": self._blocked, "ip": request.client.host if request.client else "", **place}

    async def move(self, request: Request) -> Any:
        """Any of `blocked`, `country` (two letters), `region`."""
        body = fields(read_body(await request.body(), "expected JSON"), "expected a JSON object")
        for name in body:
            if name not in ("blocked", "country", "region"):
                raise Refusal(f"{name}: expected one of blocked, country, region")
        blocked = body.get("blocked", self._blocked)
        country, region = (
            str(body.get(name, now)) for name, now in (("country", self._country), ("region", self._region))
        )
        if not isinstance(blocked, bool):
            raise Refusal("blocked: expected true or false")
        if not _COUNTRY.fullmatch(country) or not _REGION.fullmatch(region):
            raise Refusal("country: expected two capital letters, region: at most three letters or digits")
        self._blocked, self._country, self._region = blocked, country, region
        return await self.tell(request)
