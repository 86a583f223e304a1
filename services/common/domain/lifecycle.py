"""The life of a copy, as a table (orders.md 7). What is not in it is forbidden."""

from enum import StrEnum


class CopyState(StrEnum):
    """Where a copy is. `executing` may have an order at the venue; `executed` has matched; `reconciled` is settled on chain."""

    DETECTED = "detected"
    CLAIMED = "claimed"
    EXECUTING = "executing"
    EXECUTED = "executed"
    RECONCILED = "reconciled"
    SKIPPED = "skipped"
    FAILED = "failed"


class Actor(StrEnum):
    """Who may make a transition."""

    MONITOR = "monitor"
    ENGINE = "engine"
    RECONCILER = "reconciler"


class ForbiddenTransition(Exception):
    """A transition that the table does not have, or that this actor may not make."""


_S, _A = CopyState, Actor

TRANSITIONS: dict[tuple[CopyState, CopyState], frozenset[Actor]] = {
    (_S.DETECTED, _S.CLAIMED): frozenset({_A.ENGINE}),
    (_S.CLAIMED, _S.CLAIMED): frozenset({_A.ENGINE}),
    (_S.CLAIMED, _S.DETECTED): frozenset({_A.ENGINE}),
    (_S.DETECTED, _S.SKIPPED): frozenset({_A.ENGINE, _A.MONITOR}),
    (_S.DETECTED, _S.EXECUTING): frozenset({_A.ENGINE}),
    (_S.CLAIMED, _S.SKIPPED): frozenset({_A.ENGINE}),
    (_S.CLAIMED, _S.FAILED): frozenset({_A.ENGINE}),
    (_S.CLAIMED, _S.EXECUTING): frozenset({_A.ENGINE}),
    (_S.EXECUTING, _S.EXECUTING): frozenset({_A.ENGINE}),
    (_S.EXECUTING, _S.EXECUTED): frozenset({_A.ENGINE, _A.RECONCILER}),
    (_S.EXECUTING, _S.FAILED): frozenset({_A.ENGINE}),
    # The engine ends what an exit leaves behind: a debt whose last sale has failed to settle, and of which nothing is owed any more.
    (_S.EXECUTED, _S.RECONCILED): frozenset({_A.RECONCILER, _A.ENGINE}),
    (_S.EXECUTED, _S.FAILED): frozenset({_A.RECONCILER, _A.ENGINE}),
    (_S.FAILED, _S.DETECTED): frozenset({_A.ENGINE}),
    (_S.FAILED, _S.EXECUTED): frozenset({_A.RECONCILER}),
    (_S.RECONCILED, _S.EXECUTED): frozenset({_A.RECONCILER}),
}

TERMINAL = frozenset({CopyState.RECONCILED, CopyState.SKIPPED, CopyState.FAILED})


def check(origin: CopyState, target: CopyState, actor: Actor) -> None:
    """Raise `ForbiddenTransition` unless the table lets `actor` move a copy from `origin` to `target`."""
    if actor not in TRANSITIONS.get((origin, target), frozenset()):
        raise ForbiddenTransition(f"{actor} may not move a copy from {origin} to {target}")
