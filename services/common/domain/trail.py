"""The trail of a document: each transition, chained to the one before by its hash (security.md 9)."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from services.common.domain.lifecycle import Actor

KEPT = 100


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One transition of a document, chained to the one before by its hash."""

    seq: int
    at: datetime
    actor: Actor
    action: str
    fence: int
    previous: str
    digest: str


def next_entry(last: TrailEntry | None, at: datetime, actor: Actor, action: str, fence: int) -> TrailEntry:
    """The entry that follows `last`; its digest covers every field and the digest before."""
    seq = last.seq + 1 if last else 1
    previous = last.digest if last else ""
    body = json.dumps([seq, at.isoformat(timespec="milliseconds"), str(actor), action, fence, previous])
    return TrailEntry(seq, at, actor, action, fence, previous, hashlib.sha256(body.encode()).hexdigest())


def lengthened(
    trail: tuple[TrailEntry, ...], at: datetime, actor: Actor, action: str, fence: int
) -> tuple[TrailEntry, ...]:
    """The trail with one more entry; past a hundred the eldest leave, the chain stays."""
    return (*trail, next_entry(trail[-1] if trail else None, at, actor, action, fence))[-KEPT:]
