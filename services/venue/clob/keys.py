"""Keys of a wallet: to trade, to read only, to build for others (venue.md 3.1)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.parse import fields, read_body
from services.venue.refusals import Refusal


class Keys:
    """`/auth/…`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def routes(self) -> list[Route]:
        return [
            Route("/auth/api-key", endpoint(self.create), methods=["POST"]),
            Route("/auth/api-key", endpoint(self.delete), methods=["DELETE"]),
            Route("/auth/derive-api-key", endpoint(self.derive)),
            Route("/auth/api-keys", endpoint(self.listed)),
            Route("/auth/readonly-api-key", endpoint(self.create_readonly), methods=["POST"]),
            Route("/auth/readonly-api-key", endpoint(self.delete_readonly), methods=["DELETE"]),
            Route("/auth/readonly-api-keys", endpoint(self.readonly)),
            Route("/auth/builder-api-key", endpoint(self.create_builder), methods=["POST"]),
            Route("/auth/builder-api-key", endpoint(self.builder)),
            Route("/auth/builder-api-key", endpoint(self.revoke_builder), methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Any:
        return self._gate.credentials.create(request.headers, self._gate.now_s()).body()

    async def derive(self, request: Request) -> Any:
        return self._gate.credentials.derive(request.headers, self._gate.now_s()).body()

    async def delete(self, request: Request) -> Any:
        self._gate.credentials.delete(await self._gate.trader(request))
        return "OK"

    async def listed(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        return {"apiKeys": [one.key for one in self._gate.credentials.of(key.address)]}

    async def create_readonly(self, request: Request) -> Any:
        return {"apiKey": self._gate.credentials.create_readonly(await self._gate.trader(request))}

    async def readonly(self, request: Request) -> Any:
        return self._gate.credentials.readonly_of((await self._gate.trader(request)).address)

    async def delete_readonly(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        named = fields(read_body(await request.body(), "Invalid payload"), "Invalid payload").get("key")
        if not self._gate.credentials.delete_readonly(key, str(named)):
            raise Refusal("api key not found", 404)
        return "OK"

    async def create_builder(self, request: Request) -> Any:
        return self._gate.builders.create(await self._gate.trader(request))

    async def builder(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        return [one.row() for one in self._gate.builders.of(key.address)]

    async def revoke_builder(self, request: Request) -> Any:
        """The key that signs this itself; all of a wallet's where its API key signs, which names none of them."""
        if "poly_builder_api_key" in request.headers:
            self._gate.builders.revoke(await self._gate.builder(request))
            return "OK"
        for one in self._gate.builders.of((await self._gate.trader(request)).address):
            self._gate.builders.revoke(one)
        return "OK"
