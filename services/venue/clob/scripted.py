"""Refusals as told, for texts that no order of this venue brings about by itself (venue.md 3.6, the 500s above all)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_address
from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import Body, asked, flag, number
from services.venue.clob.answers import endpoint
from services.venue.model import PostedOrder
from services.venue.refusals import Refusal


@dataclass(slots=True)
class Scripted:
    """Answers the next `times` orders of a wallet (empty: of anybody): before they have any effect, or although they had it."""

    text: str
    status: int
    wallet: str
    after: bool
    times: int

    def written(self, posted: PostedOrder) -> str:
        """With the order's id and its maker's address where the text leaves room for them."""
        return self.text.replace("{id}", posted.order_hash).replace("{address}", posted.signed.maker)


class Script:
    """What is waiting to be answered. `/admin/refusals` adds to it, and takes everything out."""

    def __init__(self) -> None:
        self._waiting: list[Scripted] = []

    def admin_routes(self) -> list[Route]:
        return [
            Route("/admin/refusals", endpoint(self.add), methods=["POST"]),
            Route("/admin/refusals", endpoint(self.clear), methods=["DELETE"]),
        ]

    def take(self, posted: PostedOrder) -> Scripted | None:
        """The refusal of this order, counted."""
        found = next((one for one in self._waiting if one.wallet in ("", posted.wallet)), None)
        if found:
            found.times -= 1
            if not found.times:
                self._waiting.remove(found)
        return found

    async def add(self, request: Request) -> Any:
        one = _read(await asked(request, "text", "status", "wallet", "after", "times"))
        self._waiting.append(one)
        return {"text": one.text, "status": one.status, "wallet": one.wallet, "after": one.after, "times": one.times}

    async def clear(self, _: Request) -> Any:
        self._waiting.clear()
        return {"refusals": []}


def _read(body: Body) -> Scripted:
    text, wallet, after = body.get("text"), body.get("wallet", ""), flag(body, "after")
    if not isinstance(text, str) or not text:
        raise Refusal("text: expected what the refusal says")
    if wallet and not is_address(wallet):
        raise Refusal("wallet: expected an address")
    status, times = number(body, "status", 400, least=200, most=599), number(body, "times", 1, least=1)
    return Scripted(text, status, str(wallet).lower(), after, times)
