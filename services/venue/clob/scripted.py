"""Refusals as told, for texts that no order of this venue brings about by itself (venue.md 3.6, the 500s above all)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_address
from starlette.requests import Request
from starlette.routing import Route

from services.venue.clob.answers import endpoint
from services.venue.clob.parse import fields, read_body
from services.venue.model import PostedOrder
from services.venue.refusals import Refusal

STATUSES = (200, 599)


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
        body = fields(read_body(await request.body(), "expected JSON"), "expected a JSON object")
        one = _read(body)
        self._waiting.append(one)
        return {"text": one.text, "status": one.status, "wallet": one.wallet, "after": one.after, "times": one.times}

    async def clear(self, _: Request) -> Any:
        self._waiting.clear()
        return {"refusals": []}


def _read(body: dict[str, Any]) -> Scripted:
    text, wallet, after = body.get("text"), body.get("wallet", ""), body.get("after", False)
    if not isinstance(text, str) or not text:
        raise Refusal("text: expected what the refusal says")
    if wallet and not is_address(wallet):
        raise Refusal("wallet: expected an address")
    if not isinstance(after, bool):
        raise Refusal("after: expected true or false")
    status, times = (_whole(body, name, default) for name, default in (("status", 400), ("times", 1)))
    if not STATUSES[0] <= status <= STATUSES[1]:
        raise Refusal(f"status: expected {STATUSES[0]} to {STATUSES[1]}")
    return Scripted(text, status, str(wallet).lower(), after, times)


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise Refusal(f"{name}: expected a whole number above 0")
    return value
