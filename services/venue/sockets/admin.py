"""`/admin/sockets`: how long the channels wait for a PING; `/admin/rtds`: a frame that nobody on this venue causes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import asked, number
from services.venue.clob.answers import endpoint
from services.venue.faults.registry import Note
from services.venue.refusals import Refusal
from services.venue.rtds import Rtds
from services.venue.rtds_topics import TYPES
from services.venue.sockets.connection import Manners

MOST_MS = 3_600_000


class SocketAdmin:
    """The controls of the three channels, by their names."""

    def __init__(self, channels: Mapping[str, Manners], rtds: Rtds, note: Note) -> None:
        self._note = note
        self._channels = channels
        self._rtds = rtds

    def routes(self) -> list[Route]:
        return [
            Route("/admin/sockets", endpoint(self.tune), methods=["POST"]),
            Route("/admin/rtds", endpoint(self.say), methods=["POST"]),
        ]

    async def tune(self, request: Request) -> Any:
        """`{"channel": "market", "silent_ms": 500, "queued": 10}`: for those who connect, or ping, from now on."""
        body = await asked(request, "channel", "silent_ms", "queued")
        manners = self._channels.get(str(body.get("channel")))
        if manners is None:
            raise Refusal(f"channel: expected one of {', '.join(self._channels)}")
        silent_ms = number(body, "silent_ms", manners.silent_ms, least=1, most=MOST_MS)
        manners.queued = number(body, "queued", manners.queued, least=1, most=MOST_MS)
        manners.silent_ms = silent_ms
        values = {"channel": body["channel"], "silent_ms": silent_ms, "queued": manners.queued}
        self._note("switched", name="sockets", values=values)
        return values

    async def say(self, request: Request) -> Any:
        """`{"topic": "comments", "type": "comment_created", "payload": {…}}` goes to everyone who has asked for it."""
        body = await asked(request, "topic", "type", "payload")
        topic, kind, payload = str(body.get("topic")), str(body.get("type")), body.get("payload")
        if kind not in TYPES.get(topic, ()):
            raise Refusal("topic, type: expected what RTDS can be asked for")
        if not isinstance(payload, dict):
            raise Refusal("payload: expected a JSON object")
        self._rtds.say(topic, kind, cast(dict[str, Any], payload))
        return {"topic": topic, "type": kind}
