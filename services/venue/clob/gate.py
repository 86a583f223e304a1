"""Who sends a request: the API key whose headers cover it, and what that key may do (venue.md 3.10)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from services.venue.builder_keys import BuilderKey, BuilderKeys
from services.venue.credentials import ApiKey, Credentials

READONLY_HEADER = "poly_readonly_api_key"


class Gate:
    """Signatures cover the path below this venue's prefix, as clients compute it. What proves nothing is `Unauthorized`."""

    def __init__(self, credentials: Credentials, builders: BuilderKeys, now_ms: Callable[[], int]) -> None:
        self.credentials = credentials
        self.builders = builders
        self._now_ms = now_ms

    def now_s(self) -> int:
        return self._now_ms() // 1000

    async def trader(self, request: Request) -> ApiKey:
        """The key that signed this request: it may do everything."""
        return self.credentials.check(
            request.headers, request.method, signed_path(request), await request.body(), self.now_s()
        )

    async def reader(self, request: Request) -> ApiKey:
        """The same, or the key for which a read-only one was made: that is named, with its wallet, and signs nothing."""
        if READONLY_HEADER in request.headers:
            address = request.headers.get("poly_address", "")
            return self.credentials.read_only(request.headers[READONLY_HEADER], address)
        return await self.trader(request)

    async def builder(self, request: Request) -> BuilderKey:
        """The builder key that signed this request."""
        return self.builders.check(request.headers, request.method, signed_path(request), await request.body())


def signed_path(request: Request) -> str:
    """Without query and without the venue's prefix."""
    return request.scope["path"].removeprefix(request.scope.get("root_path", ""))
