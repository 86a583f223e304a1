"""The trail of a document: each transition, chained to the one before by its hash (security.md 9).

An entry is written in the very update that makes its transition, with the hash of what the document said before and after it. It is
drafted where the transition is decided and sealed where the document is written: only then is it known what it says.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from services.common.domain.canonical import digest

KEPT = 100
MOVED_OUT = 50
"""So many of the eldest leave together, so that a long trail costs a second write only now and then."""


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One transition of a document. `before` and `after` are hashes of its content, empty where there was none; `digest` covers every
    other field and, through `previous`, every entry before it; it is empty while the entry is a draft."""

    seq: int
    at: datetime
    actor: str
    action: str
    fence: int
    before: str = ""
    after: str = ""
    previous: str = ""
    digest: str = ""

    def body(self) -> dict[str, object]:
        """What the digest covers, by the names that an export has."""
        return {
            "seq": self.seq,
            "ts": self.at.isoformat(timespec="milliseconds"),
            "actor": self.actor,
            "action": self.action,
            "fence": self.fence,
            "before": self.before,
            "after": self.after,
            "prevHash": self.previous,
        }


Trail = tuple[TrailEntry, ...]


def lengthened(trail: Trail, at: datetime, actor: str, action: str, fence: int, before: str) -> Trail:
    """The trail with the draft of one more entry; `before` is the hash of what the document said until now."""
    last = trail[-1] if trail else None
    seq, previous = (last.seq + 1, last.digest) if last else (1, "")
    return (*trail, TrailEntry(seq, at, actor, action, fence, before if last else "", previous=previous))


def is_draft(trail: Trail) -> bool:
    """Whether the last entry has to be sealed."""
    return bool(trail) and not trail[-1].digest


def sealed(trail: Trail, after: str) -> Trail:
    """The trail with its drafts sealed; `after` is the hash of what the document says now."""
    first = next((place for place, entry in enumerate(trail) if not entry.digest), len(trail))
    done = list(trail[:first])
    for entry in trail[first:]:
        # A second entry of the same update finds what the first one says already.
        before, previous = (entry.before if len(done) == first else after), (done[-1].digest if done else "")
        whole = replace(entry, before=before, after=after, previous=previous)
        done.append(replace(whole, digest=digest(whole.body())))
    return tuple(done)


def parted(trail: Trail) -> tuple[Trail, Trail]:
    """The eldest entries that leave the document, none while it holds a hundred at most, and those that stay."""
    leaving = MOVED_OUT if len(trail) > KEPT else 0
    return trail[:leaving], trail[leaving:]
