"""The services that the gateway stands for, and what the contract says about them."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from polycopy.engine.v1 import engine_pb2
from polycopy.gateway.v1 import auth_pb2
from polycopy.monitor.v1 import monitor_pb2
from polycopy.reconciler.v1 import reconciler_pb2

from services.gateway.openapi import Document, comments
from services.gateway.routes import routes

AUTH: ServiceDescriptor = auth_pb2.DESCRIPTOR.services_by_name["AuthService"]
MONITOR: ServiceDescriptor = monitor_pb2.DESCRIPTOR.services_by_name["MonitorService"]
ENGINE: ServiceDescriptor = engine_pb2.DESCRIPTOR.services_by_name["EngineService"]
RECONCILER: ServiceDescriptor = reconciler_pb2.DESCRIPTOR.services_by_name["ReconcilerService"]

SERVICES = (AUTH, ENGINE, RECONCILER, MONITOR)


def said() -> Mapping[str, str]:
    """The contract's comments by full name."""
    return comments(FileDescriptorSet.FromString((files("polycopy") / "descriptors.binpb").read_bytes()))


_PAGES = {
    "/health": "What can work and what is away, with version and uptime; always 200.",
    "/health/live": "200 while the process answers.",
    "/health/ready": "200 when everything that the gateway needs can work, else 503 naming what is away.",
}


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI document of everything that the gateway serves."""
    document = Document(routes(SERVICES), said(), version).build()
    document["paths"]["/api/events"] = {"get": _events()}
    for path, summary in _PAGES.items():
        document["paths"][path] = {"get": _page(summary)}
    return document


def _page(summary: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"success": {"type": "boolean"}, "data": {"type": "object"}}}
    done = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    return {"tags": ["Health"], "summary": summary, "parameters": [], "responses": {"200": done}, "security": []}


def _events() -> dict[str, Any]:
    resume = {"name": "resume", "in": "query", "required": False, "schema": {"type": "string"}}
    frames = {"description": "Frames as they come.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {
        "tags": ["Events"],
        "summary": "The frames of the WebSocket as server-sent events; `resume` is the id of the last one seen.",
        "parameters": [resume],
        "responses": {"200": frames},
        "security": [{"bearer": []}],
    }
