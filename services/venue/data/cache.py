"""The cache in front of the Data API: by URL, deaf to what clients say of it (venue.md 1.4)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

MOST_BYTES = 32 * 1024 * 1024
# What orjson takes beyond the text that it writes.
SLACK_BYTES = 8 * 1024


class UrlCache:
    """Keeps good answers for `keep_ms`; zero keeps nothing."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.keep_ms = 0
        self._now_ms = now_ms
        self._kept: dict[str, tuple[int, Response]] = {}
        self._bytes = 0

    def get(self, request: Request) -> Response | None:
        """What was answered to this very URL not long ago."""
        if not self.keep_ms:
            return None
        at_ms, response = self._kept.get(str(request.url), (0, None))
        return response if self._now_ms() - at_ms < self.keep_ms else None

    def put(self, request: Request, response: Response) -> None:
        if self.keep_ms and response.status_code == 200:
            size = len(response.body) + SLACK_BYTES
            self._bytes += size
            if self._bytes > MOST_BYTES:
                self._kept.clear()
                self._bytes = size
            self._kept[str(request.url)] = (self._now_ms(), response)
