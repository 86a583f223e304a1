"""A Merkle tree that only grows, as RFC 9162 hashes it, kept as its complete subtrees: adding a leaf and the root take log n."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """A leaf's hash."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """An inner node's hash."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves: the roots of its complete subtrees, the largest first, one for each bit of `size`."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.roots) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has {self.size.bit_count()} complete subtrees")

    def plus(self, leaves: Iterable[bytes]) -> "Frontier":
        """The tree with these leaves behind its own."""
        size, roots = self.size, list(self.roots)
        for leaf in leaves:
            made, bits = leaf_hash(leaf), size
            while bits & 1:
                made, bits = node_hash(roots.pop(), made), bits >> 1
            roots.append(made)
            size += 1
        return Frontier(size, tuple(roots))

    @property
    def root(self) -> bytes:
        """The Merkle tree hash."""
        return _folded(self.roots)


def _folded(roots: Sequence[bytes]) -> bytes:
    if not roots:
        return EMPTY
    whole = roots[-1]
    for root in reversed(roots[:-1]):
        whole = node_hash(root, whole)
    return whole
