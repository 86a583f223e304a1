"""`/admin/faults`: add one, list them, take one or all away."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import asked
from services.venue.clob.answers import endpoint
from services.venue.faults.fields import BadFault
from services.venue.faults.registry import Registry
from services.venue.refusals import Refusal


class FaultAdmin:
    """The controls of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def routes(self) -> list[Route]:
        return [
            Route("/admin/faults", endpoint(self.all)),
            Route("/admin/faults", endpoint(self.add), methods=["POST"]),
            Route("/admin/faults", endpoint(self.remove), methods=["DELETE"]),
        ]

    async def all(self, _: Request) -> Any:
        return {"faults": [fault.told() for fault in self._registry.active]}

    async def add(self, request: Request) -> Any:
        body = await asked(request)
        try:
            return self._registry.add(body).told()
        except BadFault as error:
            raise Refusal(str(error)) from error

    async def remove(self, request: Request) -> Any:
        """All of them, or the one of `?id=`."""
        wanted = request.query_params.get("id")
        numbers = {str(fault.number): fault.number for fault in self._registry.active}
        if wanted is not None and wanted not in numbers:
            raise Refusal("id: expected the id of a fault that is active")
        self._registry.remove(None if wanted is None else numbers[wanted])
        return await self.all(request)
