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


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI document of everything under `/api/`."""
    return Document(routes(SERVICES), said(), version).build()
