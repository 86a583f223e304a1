"""Deadlines travel with the call: grpc-python does not pass them on by itself."""

import time
from contextvars import ContextVar

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin(remaining_s: float | None) -> None:
    """The RPC that is being served has this long left."""
    now = time.monotonic()  # clock: gRPC's own deadlines run on it
    _ends_at.set(None if remaining_s is None else now + remaining_s)


def remaining(wanted_s: float | None) -> float | None:
    """The lesser of what is wanted and what is left."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return wanted_s
    left = max(ends_at - time.monotonic(), 0.0)  # clock: as above
    return left if wanted_s is None else min(wanted_s, left)
