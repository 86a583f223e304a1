"""Checkpoints of the audit trail: one tree over the heads of every trail that has changed, signed again and again (security.md 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.common.domain.canonical import canonical, digest
from services.common.domain.merkle import Frontier


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of one trail: `trail` is its collection and id."""

    trail: str
    seq: int
    digest: str

    def leaf(self) -> bytes:
        """As a leaf of the tree."""
        return canonical([self.trail, self.seq, self.digest])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the tree was once: `size` leaves and their `root`, signed, and the hash of the checkpoint before.

    `leaves` are those that it adds: the checkpoint before, then the changed heads. `roots` are the complete subtrees, from which the
    tree goes on; `token` resumes the stream of heads. Neither is signed: the first proves itself by the root, the second proves nothing.
    """

    index: int
    size: int
    root: str
    at: datetime
    previous: str
    leaves: tuple[Head, ...]
    roots: tuple[str, ...]
    token: str
    signature: str = ""

    def body(self) -> dict[str, object]:
        """What is signed."""
        return {
            "index": self.index,
            "size": self.size,
            "root": self.root,
            "ts": self.at.isoformat(timespec="milliseconds"),
            "previous": self.previous,
        }

    @property
    def digest(self) -> str:
        """What the next one names as the one before."""
        return digest(self.body())

    @property
    def frontier(self) -> Frontier:
        """The tree. Raises `ValueError` where the subtrees are not those of the root."""
        tree = Frontier(self.size, tuple(map(bytes.fromhex, self.roots)))
        if tree.root.hex() != self.root:
            raise ValueError(f"checkpoint {self.index}: its subtrees make another root")
        return tree


def following(last: Checkpoint | None, heads: Sequence[Head], at: datetime, token: str) -> Checkpoint:
    """The unsigned checkpoint after `last`. Raises `ValueError` where `last` does not hold."""
    before = last.digest if last else ""
    index = last.index + 1 if last else 0
    leaves = (*((Head(f"checkpoints/{last.index}", last.index, before),) if last else ()), *heads)
    tree = (last.frontier if last else Frontier()).plus(head.leaf() for head in leaves)
    return Checkpoint(
        index, tree.size, tree.root.hex(), at, before, leaves, tuple(root.hex() for root in tree.roots), token
    )


def follows(last: Checkpoint | None, after: Checkpoint) -> bool:
    """Whether `after` is what its leaves make of `last`."""
    first = 1 if last else 0
    try:
        made = following(last, after.leaves[first:], after.at, after.token)
    except ValueError:
        return False
    return (made.body(), made.leaves, made.roots) == (after.body(), after.leaves, after.roots)
