"""Errors as callers see them: a canonical status, one text, and one ErrorInfo whose reason is in the contract."""

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2  # pyright: ignore[reportMissingTypeStubs]
from polycopy.common.v1 import error_pb2

DOMAIN = "polycopy"
DETAILS = "grpc-status-details-bin"
LONGEST_IDENTITY = 100
MOST_NAMED = 20

Reason = error_pb2.ErrorReason


class PolyCopyError(Exception):
    """A failure that its caller may know about. What is raised beside it leaves as a bare INTERNAL."""

    code = grpc.StatusCode.INTERNAL
    reason: "Reason.ValueType" = error_pb2.ERROR_REASON_INTERNAL

    def __init__(self, text: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.metadata = dict(metadata or {})

    @property
    def reason_name(self) -> str:
        """The reason without its prefix, as ErrorInfo carries it."""
        return Reason.Name(self.reason).removeprefix("ERROR_REASON_")


class InvalidArgument(PolyCopyError):
    """A field is not what was expected; the text names both."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = error_pb2.ERROR_REASON_INVALID_ARGUMENT

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}", {"field": field, "expected": expected})


class InvalidFields(PolyCopyError):
    """Several fields are not what was expected: `problems` has one line for each, its name first."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = error_pb2.ERROR_REASON_INVALID_ARGUMENT

    def __init__(self, problems: Sequence[str]) -> None:
        names = [problem.partition(":")[0] for problem in problems]
        super().__init__("; ".join(problems), {"field": ", ".join(names)})


class VersionConflict(PolyCopyError):
    """What was to be changed has changed since it was read: read it again."""

    code = grpc.StatusCode.ABORTED
    reason = error_pb2.ERROR_REASON_VERSION_CONFLICT

    def __init__(self, version: int) -> None:
        super().__init__("changed since it was read", {"version": str(version)})


class NotFound(PolyCopyError):
    """There is no such thing, or it belongs to another owner: the two look alike from outside."""

    code = grpc.StatusCode.NOT_FOUND
    reason = error_pb2.ERROR_REASON_NOT_FOUND

    def __init__(self, resource: str, identity: str) -> None:
        # What the caller wrote may be longer than metadata can be.
        super().__init__(f"no such {resource}", {"resource": resource, "id": identity[:LONGEST_IDENTITY]})


class Unauthenticated(PolyCopyError):
    """No token, or one that is not good; one text for every cause."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = error_pb2.ERROR_REASON_UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__("a valid token is required")


class TokenRefused(Unauthenticated):
    """A token that is not good. Why is for the trail alone; `subject` is whose it is, where a key of ours has signed that."""

    def __init__(self, why: str, subject: str = "") -> None:
        super().__init__()
        self.why = why
        self.subject = subject


class LoginRefused(PolyCopyError):
    """The signature opens no message of this address; one text for every cause."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = error_pb2.ERROR_REASON_LOGIN_REFUSED

    def __init__(self) -> None:
        super().__init__("login refused")


class PermissionDenied(PolyCopyError):
    """The caller is known and may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = error_pb2.ERROR_REASON_PERMISSION_DENIED

    def __init__(self, required: str) -> None:
        super().__init__("not allowed", {"required": required})


class RateLimited(PolyCopyError):
    """The caller's budget is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = error_pb2.ERROR_REASON_RATE_LIMITED

    def __init__(self, rate_class: str, retry_after_s: int) -> None:
        super().__init__("too many requests", {"class": rate_class, "retryAfterSeconds": str(retry_after_s)})
        self.retry_after_s = retry_after_s


class Away(PolyCopyError):
    """Something that this call needs does not answer; try again."""

    code = grpc.StatusCode.UNAVAILABLE

    def __init__(self, what: str, reason: "Reason.ValueType") -> None:
        super().__init__(f"{what} unavailable")
        self.reason = reason


class SignerPolicy(PolyCopyError):
    """The signer's own policy does not allow it; which rule, what it saw, and what it allows."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = error_pb2.ERROR_REASON_SIGNER_REFUSED

    def __init__(self, rule: str, observed: str, limit: str) -> None:
        super().__init__(f"the signer refuses: {rule}", {"rule": rule, "observed": observed, "limit": limit})


class WalletHalted(PolyCopyError):
    """The signer signs no order of the wallet; who halted it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = error_pb2.ERROR_REASON_SIGNER_HALTED

    def __init__(self, by: Sequence[str]) -> None:
        named = ", ".join(by)
        super().__init__(f"halted at the signer by {named}", {"haltedBy": named})


class SignerUnavailable(Away):
    """The signer, its key or its memory cannot be used now."""

    def __init__(self) -> None:
        super().__init__("signer", error_pb2.ERROR_REASON_SERVICE_UNAVAILABLE)


class StopUnwritten(Away):
    """A stop of which the database did not take its part: how many wallets the signer signs for no more, and which it may sign for."""

    def __init__(self, halted: int, may_sign: Sequence[str]) -> None:
        super().__init__("store", error_pb2.ERROR_REASON_STORE_UNAVAILABLE)
        told = f"the signer signs for {halted} of {halted + len(may_sign)} wallets no more"
        self.text = f"{told}; whether accounts are halted is not known: the store does not answer; stop again"
        self.metadata = {"haltedAtSigner": str(halted), "notHaltedAtSigner": ", ".join(may_sign[:MOST_NAMED])}


def details_of(error: PolyCopyError) -> bytes:
    """The rich status that travels in `grpc-status-details-bin`."""
    info = error_details_pb2.ErrorInfo(domain=DOMAIN, reason=error.reason_name, metadata=error.metadata)
    packed = AnyMessage()
    packed.Pack(info)
    number: int = error.code.value[0]
    return status_pb2.Status(code=number, message=error.text, details=[packed]).SerializeToString()


def error_info(trailing: Mapping[str, str | bytes]) -> tuple[str, dict[str, str]] | None:
    """Reason and metadata out of a failed call's trailing metadata; None where it carries none of ours."""
    raw = trailing.get(DETAILS)
    if not isinstance(raw, bytes):
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(raw).details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info.reason, dict(info.metadata)
    return None
