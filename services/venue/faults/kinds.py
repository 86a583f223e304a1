"""Every kind of fault: its family, and what it may say besides its target, rate, number and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.venue.faults.fields import Choice, CloseCode, Field, Headers, Text, Whole
from services.venue.faults.target import (
    BlockTarget,
    Body,
    ChannelTarget,
    CommitTarget,
    Everything,
    MethodTarget,
    PathTarget,
    Target,
)
from services.venue.node.depth import DEEPEST

STATUSES = (400, 599)


class Family(StrEnum):
    """Where a fault strikes."""

    HTTP = "http"
    SOCKET = "socket"
    COMMIT = "commit"
    CHAIN = "chain"
    CLOCK = "clock"
    BLOCK = "block"


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
    Family.CLOCK: (Everything.read, Everything.NAMES),
    Family.BLOCK: (BlockTarget.read, BlockTarget.NAMES),
}

DAY_MS = 86_400_000
FATES = ("again", "later", "replaced", "failed", "dropped")
JSON_FORMS = ("object", "list", "null", "text", "number", "cut")

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
    # The same with the page of a proxy instead of JSON.
    "html_before": Kind(Family.HTTP, _ERROR),
    "html_after": Kind(Family.HTTP, _ERROR),
    # The true answer, its body in drops that together take `ms`.
    "slow_body": Kind(Family.HTTP, {"ms": Whole(6_000)}),
    # Half of the true body, then the connection is closed, or reset.
    "truncated_body": Kind(Family.HTTP),
    "reset_body": Kind(Family.HTTP),
    # The true status with other JSON, or with the true body cut in half.
    "wrong_json": Kind(Family.HTTP, {"form": Choice(JSON_FORMS)}),
    # The true body under another name.
    "wrong_type": Kind(Family.HTTP, {"content_type": Text("text/html; charset=utf-8")}),
    # The true status and nothing else.
    "empty_body": Kind(Family.HTTP),
    # A GET is answered by what the same URL was answered up to `ms` ago.
    "stale": Kind(Family.HTTP, {"ms": Whole(60_000)}),
    # The socket is not opened.
    "socket_refuse": Kind(Family.SOCKET, {"status": Whole(403, *STATUSES)}),
    # With the frame that is struck, the socket is closed with a code, or cut in the middle of the frame.
    "socket_close": Kind(Family.SOCKET, {"code": CloseCode()}),
    "socket_cut": Kind(Family.SOCKET),
    # From the frame that is struck on nothing is sent for `ms` (0: for ever), not even a PONG, and nothing is closed.
    "socket_silent": Kind(Family.SOCKET, {"ms": Whole()}),
    "frame_drop": Kind(Family.SOCKET),
    "frame_double": Kind(Family.SOCKET),
    # It waits, and what follows waits behind it.
    "frame_delay": Kind(Family.SOCKET, {"ms": Whole(1_000)}),
    # The next frame overtakes it; when none comes within `ms`, it is late.
    "frame_reorder": Kind(Family.SOCKET, {"ms": Whole(500)}),
    # Half of its text.
    "frame_garble": Kind(Family.SOCKET),
    # The trade's transaction is sent `ms` late.
    "commit_slow": Kind(Family.COMMIT, {"ms": Whole(1_000)}),
    # RETRYING `tries` times, `ms` apart; then it is mined as if nothing had been.
    "commit_retry": Kind(Family.COMMIT, {"ms": Whole(200), "tries": Whole(1, 1, 100)}),
    # RETRYING `tries` times, `ms` apart; then FAILED, and the fill undone.
    "commit_fail": Kind(Family.COMMIT, {"ms": Whole(200), "tries": Whole(1, 0, 100)}),
    # The venue's clock goes so much ahead, or behind, for as long as the fault is there: `/time`, frames, expiry, what keys expect.
    "clock_off": Kind(Family.CLOCK, {"ms": Whole(30_000, -DAY_MS, DAY_MS)}),
    # With the block that is struck, the newest `depth` blocks are taken back and one more comes in their place; `fate` is their
    # transactions'. Blocks that came in place of others are struck by nothing.
    "reorg": Kind(Family.BLOCK, {"depth": Whole(1, 1, DEEPEST), "fate": Choice(FATES)}),
    # The chain's JSON-RPC, but for the venue's own use of it. The answer comes `ms` late.
    "rpc_delay": Kind(Family.CHAIN, {"ms": Whole(1_000)}),
    # An error in place of the answer, such as that of a node whose sibling was asked before.
    "rpc_error": Kind(Family.CHAIN, {"code": Whole(-32000, -(2**31), 2**31), "message": Text("header not found")}),
    # HTTP 429; on a socket the error -32005.
    "rpc_limited": Kind(Family.CHAIN),
    # The connection is cut: nothing was done, or all was.
    "rpc_drop_before": Kind(Family.CHAIN),
    "rpc_drop_after": Kind(Family.CHAIN),
    # Everything is answered as of so many blocks ago; what is pushed comes so many blocks late.
    "rpc_lag": Kind(Family.CHAIN, {"blocks": Whole(3, 1, 200)}),
    # Lies: `amount` in place of a balance, logs left out, a receipt of the other status.
    "rpc_wrong_balance": Kind(Family.CHAIN, {"amount": Whole()}),
    "rpc_missing_logs": Kind(Family.CHAIN),
    "rpc_wrong_status": Kind(Family.CHAIN),
    # What is pushed for a block is not sent at all; a call is cut.
    "rpc_silent": Kind(Family.CHAIN),
}


def of(families: frozenset[Family]) -> dict[str, Kind]:
    """The kinds of these families, by name."""
    return {name: kind for name, kind in KINDS.items() if kind.family in families}
