"""Who may call what: the contract's options, held here and nowhere else. A method without them is callable by nobody."""

from functools import cache
from typing import Protocol

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from polycopy.options.v1 import access_pb2

from services.common.domain.user import UserRole
from services.common.rpc.caller import OPS, Caller
from services.common.rpc.errors import PermissionDenied, Unauthenticated

# What every server answers about itself. Health is for everyone who can connect; the others are for operators.
HEALTH = "grpc.health.v1.Health"
INTROSPECTION = ("grpc.reflection.v1alpha.ServerReflection", "grpc.channelz.v1.Channelz")


class Quota(Protocol):
    """Counts calls. Raises `RateLimited`, or `Away` where it cannot count and the call must not be made uncounted."""

    async def take(self, who: str, rate_class: "access_pb2.RateClass.ValueType", *, reads_only: bool) -> None: ...


@cache
def method(full_method: str) -> MethodDescriptor | None:
    """The descriptor of `/package.Service/Method`."""
    service, _, name = full_method.lstrip("/").partition("/")
    try:
        return descriptor_pool.Default().FindServiceByName(service).methods_by_name.get(name)
    except KeyError:
        return None


@cache
def policy(full_method: str) -> access_pb2.AccessPolicy | None:
    """The method's access option; None where it has none."""
    found = method(full_method)
    if found is None or not found.GetOptions().HasExtension(access_pb2.access):
        return None
    return found.GetOptions().Extensions[access_pb2.access]


@cache
def reads_only(full_method: str) -> bool:
    """The method has no side effects: it may be repeated."""
    found = method(full_method)
    return found is not None and found.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS


def admit(full_method: str, who: Caller) -> None:
    """Let the call pass, or raise `Unauthenticated` or `PermissionDenied`."""
    service = full_method.lstrip("/").partition("/")[0]
    if service == HEALTH:
        return None
    if service in INTROSPECTION:
        return _only_ops(who)
    rule = policy(full_method)
    if rule is None or rule.role == access_pb2.ROLE_UNSPECIFIED:
        raise PermissionDenied("nobody")
    if who.peer and who.peer not in rule.peers:
        raise PermissionDenied(f"one of {', '.join(rule.peers)}")
    return _hold(rule.role, who)


def _hold(role: "access_pb2.Role.ValueType", who: Caller) -> None:
    if role == access_pb2.ROLE_ANONYMOUS or (who.peer == OPS and who.principal is None):
        return
    if role == access_pb2.ROLE_SERVICE:
        if not who.peer:
            raise PermissionDenied("a service of the mesh")
        return
    if who.principal is None:
        raise Unauthenticated
    if role == access_pb2.ROLE_ADMIN and who.principal.role is not UserRole.ADMIN:
        raise PermissionDenied("admin")


def _only_ops(who: Caller) -> None:
    if who.peer != OPS:
        raise PermissionDenied(OPS)
