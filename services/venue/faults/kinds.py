"""Every kind of fault: its family, and what it may say besides its target, rate, number and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.venue.faults.fields import Field, Headers, Whole
from services.venue.faults.target import Body, ChannelTarget, CommitTarget, MethodTarget, PathTarget, Target

STATUSES = (400, 599)


class Family(StrEnum):
    """Where a fault strikes."""

    HTTP = "http"
    SOCKET = "socket"
    COMMIT = "commit"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault is."""

    family: Family
    fields: Mapping[str, Field] = field(default_factory=dict[str, Field])


TARGETS: Mapping[Family, tuple[Callable[[Body], Target], tuple[str, ...]]] = {
    Family.HTTP: (PathTarget.read, PathTarget.NAMES),
    Family.SOCKET: (ChannelTarget.read, ChannelTarget.NAMES),
    Family.COMMIT: (CommitTarget.read, CommitTarget.NAMES),
    Family.CHAIN: (MethodTarget.read, MethodTarget.NAMES),
}

_ANSWER: Mapping[str, Field] = {"ms": Whole(), "status": Whole(502, *STATUSES)}
_ERROR: Mapping[str, Field] = {**_ANSWER, "headers": Headers()}

KINDS: Mapping[str, Kind] = {
    # The answer waits.
    "delay": Kind(Family.HTTP, _ANSWER),
    # The connection is cut: nothing was done, or all was.
    "drop_before": Kind(Family.HTTP, _ANSWER),
    "drop_after": Kind(Family.HTTP, _ANSWER),
    # A status of 400 to 599 without and with the effect.
    "error_before": Kind(Family.HTTP, _ERROR),
    "error_after": Kind(Family.HTTP, _ERROR),
    # The trade's transaction is sent `ms` late.
    "commit_slow": Kind(Family.COMMIT, {"ms": Whole(1_000)}),
    # RETRYING `tries` times, `ms` apart; then it is mined as if nothing had been.
    "commit_retry": Kind(Family.COMMIT, {"ms": Whole(200), "tries": Whole(1, 1, 100)}),
    # RETRYING `tries` times, `ms` apart; then FAILED, and the fill undone.
    "commit_fail": Kind(Family.COMMIT, {"ms": Whole(200), "tries": Whole(1, 0, 100)}),
}


def of(families: frozenset[Family]) -> dict[str, Kind]:
    """The kinds of these families, by name."""
    return {name: kind for name, kind in KINDS.items() if kind.family in families}
