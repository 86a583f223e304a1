"""The port of the trails, and of the checkpoints over them.

As of every port of the store: see `services.common.ports.stores`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.common.domain.checkpoint import Checkpoint, Head
from services.common.domain.trail import Trail
from services.common.ports.answers import Change


@dataclass(frozen=True, slots=True)
class Told:
    """A document's whole trail, what the document says, and the things whose hashes stand in that."""

    trail: str
    content: Mapping[str, object]
    entries: Trail
    attached: Mapping[str, object]


class Audit(Protocol):
    """The trails of every document, and `checkpoints`, which are only ever added to."""

    def heads(self, token: str | None) -> AsyncIterator[Change[Head]]:
        """The head of every trail that grows, after `token`; where there is none, or it is too old, a resync change first."""
        ...

    def every_head(self) -> AsyncIterator[Head]:
        """The head of every trail as it is now."""
        ...

    def trails(self) -> AsyncIterator[Told]:
        """Every document with its whole trail, what has moved out of it too."""
        ...

    async def add(self, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint; False where its index is taken."""
        ...

    async def last(self) -> Checkpoint | None: ...

    def after(self, index: int) -> AsyncIterator[Checkpoint]:
        """The checkpoints after `index`, in order."""
        ...
