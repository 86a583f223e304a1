"""The dead man's switch: who has begun to send heartbeats loses his orders when they stop (venue.md 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import account_of
from services.venue.clob.answers import Told, endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.parse import fields, read_body
from services.venue.credentials import ApiKey
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.spelling import uuid_of

GAP_MS = 15_000
"""Ten seconds, and the five that the venue waits beyond them."""


@dataclass(slots=True)
class Beat:
    """The last heartbeat of a key; the next has to bring its id."""

    key: ApiKey
    id: str
    at_ms: int


class Heartbeats:
    """`/v1/heartbeats`: the first brings an empty id, each next one the id of the answer before. `/heartbeats` knows no ids."""

    def __init__(self, exchange: Exchange, gate: Gate, journal: Journal, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._gate = gate
        self._journal = journal
        self._now_ms = now_ms
        self._beats: dict[str, Beat] = {}
        self._sent = 0

    def routes(self) -> list[Route]:
        return [
            Route("/v1/heartbeats", endpoint(self.beat), methods=["POST"]),
            Route("/heartbeats", endpoint(self.beat_without_id), methods=["POST"]),
        ]

    async def beat(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        sent = fields(read_body(await request.body(), "Invalid payload"), "Invalid payload").get("heartbeat_id", "")
        last = self._beats.get(key.key)
        expected = last.id if last else ""
        if sent != expected:
            raise Told({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}, 400)
        self._sent += 1
        beat = Beat(key, uuid_of(f"{key.key} {self._sent}"), self._now_ms())
        self._beats[key.key] = beat
        return {"heartbeat_id": beat.id}

    async def beat_without_id(self, request: Request) -> Any:
        """A beat as the venue's OpenAPI has it; the id that the other way has given stays good."""
        key = await self._gate.trader(request)
        last = self._beats.get(key.key)
        self._beats[key.key] = Beat(key, last.id if last else "", self._now_ms())
        return {"status": "ok"}

    def lapse(self) -> None:
        """Cancel every order of the keys whose heartbeats have stopped; they may begin anew."""
        due = self._now_ms() - GAP_MS
        for beat in [one for one in self._beats.values() if one.at_ms < due]:
            del self._beats[beat.key.key]
            wallets = account_of(beat.key.address).lower
            resting = [one for wallet in wallets for one in self._exchange.open_orders(wallet)]
            mine = [one for one in resting if one.posted.owner == beat.key.key]
            for order in mine:
                self._exchange.cancel(order.order_hash)
            self._journal.note("heartbeats_stopped", wallet=beat.key.address, cancelled=len(mine))
