"""The cache in front of the Data API: by URL, deaf to what clients say of it (venue.md 1.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from services.venue.faults.registry import Note

MOST_BYTES = 32 * 1024 * 1024
# What orjson takes beyond the text that it writes.
SLACK_BYTES = 8 * 1024
SHOWN = 500


@dataclass(slots=True)
class Kept:
    """An answer, when it was given first, and whether it has been given again."""

    at_ms: int
    response: Response
    given: bool = False


class UrlCache:
    """Keeps good answers for `keep_ms`; zero keeps nothing. An answer leaves a line when it is first given again, and no more of them."""

    def __init__(self, now_ms: Callable[[], int], note: Note) -> None:
        self.keep_ms = 0
        self._now_ms = now_ms
        self._note = note
        self._kept: dict[str, Kept] = {}
        self._bytes = 0

    def get(self, request: Request) -> Response | None:
        """What was answered to this very URL not long ago."""
        kept = self._kept.get(str(request.url)) if self.keep_ms else None
        if kept is None or self._now_ms() - kept.at_ms >= self.keep_ms:
            return None
        if not kept.given:
            kept.given = True
            self._note("fault", fault="data_cached", url=_shown(request), kept_at_ms=kept.at_ms)
        return kept.response

    def put(self, request: Request, response: Response) -> None:
        if self.keep_ms and response.status_code == 200:
            size = _size(response)
            before = self._kept.pop(str(request.url), None)
            self._bytes += size - (_size(before.response) if before else 0)
            if self._bytes > MOST_BYTES:
                self._kept.clear()
                self._bytes = size
            self._kept[str(request.url)] = Kept(self._now_ms(), response)


def _size(response: Response) -> int:
    return len(response.body) + SLACK_BYTES


def _shown(request: Request) -> str:
    """The path with its query."""
    return f"{request.url.path}?{request.url.query}"[:SHOWN]
