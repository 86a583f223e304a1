"""The contract is whole: every method is documented, says who may call it, and is answered by a servicer of ours."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from polycopy.options.v1 import access_pb2

from services.common.rpc import access
from services.engine.servicer import EngineServicer
from services.gateway.servicer import AuthServicer
from services.monitor.servicer import MonitorServicer
from services.reconciler.servicer import ReconcilerServicer
from services.signer.servicer import SignerServicer

ROOT = Path(__file__).parents[2]
SERVICERS = (AuthServicer, EngineServicer, MonitorServicer, ReconcilerServicer, SignerServicer)
PEERS = {"gateway", "engine", "monitor", "reconciler", "ops"}
FILES = FileDescriptorSet.FromString((ROOT / "gen/polycopy/descriptors.binpb").read_bytes()).file
OURS = [file for file in FILES if file.package.startswith("polycopy.")]


def methods() -> list[MethodDescriptor]:
    found: list[MethodDescriptor] = []
    for file in OURS:
        module = import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            found += service.methods
    return found


def full(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


METHODS = methods()


def test_there_are_methods_in_every_service() -> None:
    assert {method.containing_service.name for method in METHODS} == {
        "AuthService",
        "EngineService",
        "MonitorService",
        "ReconcilerService",
        "SignerService",
    }


@pytest.mark.parametrize("method", METHODS, ids=full)
def test_a_method_says_who_may_call_it_how_often_and_for_how_long(method: MethodDescriptor) -> None:
    policy = access.policy(full(method))

    assert policy is not None
    assert policy.role in set(access_pb2.Role.values()) - {access_pb2.ROLE_UNSPECIFIED}
    assert policy.peers
    assert set(policy.peers) <= PEERS
    assert (policy.timeout_ms == 0) is method.server_streaming
    # A stop is never counted, and a stream that services keep open cannot be.
    uncounted = policy.rate_class == access_pb2.RATE_CLASS_UNSPECIFIED
    assert not uncounted or method.server_streaming or policy.role in {access_pb2.ROLE_ADMIN, access_pb2.ROLE_SERVICE}


@pytest.mark.parametrize("method", METHODS, ids=full)
def test_a_method_is_answered_by_code_of_ours(method: MethodDescriptor) -> None:
    module = import_module(method.containing_service.file.name.removesuffix(".proto").replace("/", ".") + "_pb2_grpc")
    generated = getattr(module, f"{method.containing_service.name}Servicer")
    (ours,) = [servicer for servicer in SERVICERS if issubclass(servicer, generated)]

    assert getattr(ours, method.name) is not getattr(generated, method.name)


@pytest.mark.parametrize("method", METHODS, ids=full)
def test_a_method_has_a_request_and_a_response_of_its_own(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"
    assert not method.client_streaming


def commented(file: FileDescriptorProto) -> set[tuple[int, ...]]:
    return {tuple(place.path) for place in file.source_code_info.location if place.leading_comments.strip()}


def things(file: FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Services, methods, messages, fields, enums and values, by name and by their path in the descriptor."""
    for s, service in enumerate(file.service):
        yield service.name, (6, s)
        yield from ((f"{service.name}.{method.name}", (6, s, 2, m)) for m, method in enumerate(service.method))
    for m, message in enumerate(file.message_type):
        yield from _of_message(message, (4, m), message.name)
    for e, enum in enumerate(file.enum_type):
        yield enum.name, (5, e)
        yield from ((f"{enum.name}.{value.name}", (5, e, 2, v)) for v, value in enumerate(enum.value))


def _of_message(
    message: descriptor_pb2.DescriptorProto, path: tuple[int, ...], name: str
) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield name, path
    for n, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from _of_message(nested, (*path, 3, n), f"{name}.{nested.name}")


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_everything_with_a_name_has_its_comment(file: FileDescriptorProto) -> None:
    there = commented(file)

    assert [name for name, path in things(file) if path not in there] == []


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_method_that_can_be_refused_says_by_which_status(file: FileDescriptorProto) -> None:
    known = {"INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED", "PERMISSION_DENIED", "FAILED_PRECONDITION", "ABORTED",
             "RESOURCE_EXHAUSTED", "UNAVAILABLE", "OUT_OF_RANGE"}  # fmt: skip
    lines = [
        line
        for place in file.source_code_info.location
        if len(place.path) == 4 and place.path[0] == 6
        for line in place.leading_comments.splitlines()
        if line.strip().startswith("Fails with ")
    ]

    assert [line for line in lines if line.split()[2].rstrip(",.") not in known] == []
