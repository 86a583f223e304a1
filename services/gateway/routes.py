"""The REST surface, read from the contract: adding an annotated RPC adds its route, its document and its limits."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.api.http_pb2 import HttpRule  # pyright: ignore[reportMissingTypeStubs]
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from polycopy.options.v1 import access_pb2

VERBS = ("get", "put", "post", "delete", "patch")
PREFIX = "/api/"

_VARIABLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One verb and path of the public API, and the method behind it. `path` has `{field}` for each path variable."""

    verb: str
    path: str
    body: bool
    method: MethodDescriptor
    access: access_pb2.AccessPolicy

    @property
    def full_method(self) -> str:
        """The gRPC path, `/package.Service/Method`."""
        service = self.method.containing_service
        return f"/{service.full_name}/{self.method.name}"

    @property
    def service(self) -> str:
        return self.method.containing_service.full_name

    @property
    def request(self) -> Descriptor:
        return self.method.input_type

    @property
    def response(self) -> Descriptor:
        return self.method.output_type

    @property
    def variables(self) -> tuple[str, ...]:
        """The fields that the path carries."""
        return tuple(_VARIABLE.findall(self.path))

    @property
    def public(self) -> bool:
        """No token is needed."""
        return self.access.role == access_pb2.ROLE_ANONYMOUS


def routes(services: Sequence[ServiceDescriptor]) -> tuple[Route, ...]:
    """Every unary method with an `/api/` path, in the contract's order."""
    return tuple(route for service in services for method in service.methods for route in _of(method))


def streams(services: Sequence[ServiceDescriptor]) -> tuple[MethodDescriptor, ...]:
    """Every stream that feeds the WebSocket."""
    return tuple(method for service in services for method in service.methods if access(method).websocket)


def access(method: MethodDescriptor) -> access_pb2.AccessPolicy:
    """The method's access option; one without a role is callable by nobody."""
    options: Any = method.GetOptions()
    return options.Extensions[access_pb2.access]


def event_of(message: Any) -> str | None:
    """The name of the event in a stream's message: its set oneof field."""
    return message.WhichOneof("event")


def _of(method: MethodDescriptor) -> Iterator[Route]:
    options: Any = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    rule: HttpRule = options.Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        verb = str(binding.WhichOneof("pattern"))
        path = str(getattr(binding, verb))
        if verb in VERBS and path.startswith(PREFIX):
            yield Route(verb.upper(), path, binding.body == "*", method, access(method))
