"""Verifies an export of PolyCopy's audit trail: `python -I audit_verify.py EXPORT.jsonl --key PUBLIC.pem`.

One file that imports nothing of PolyCopy, so that it can be read and run apart from it, with Python 3.11 and `cryptography` alone. It
holds every document to its trail, every trail to the signed checkpoints, and the checkpoints to each other, and names whatever does not
hold. Exit code 0: everything does; 1: something does not; 2: it cannot be told.

    --checkpoints FILE  the file of checkpoints as it was kept outside of the database, instead of those in the export
    --from SIZE:ROOT    a checkpoint that you have kept yourself: what is verified has to go on from it
    --proof TRAIL       print the proof that a trail's last checkpointed entry is in the signed tree (RFC 9162, 2.1.3)
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SLACK = timedelta(minutes=3)
"""An entry reaches a checkpoint within a minute or two; one that is older than the last checkpoint by more was put in later."""

OK, TAMPERED, UNREADABLE = 0, 1, 2

_SPELL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

Finding = tuple[str, str]
"""What does not hold, and how."""


def canonical(value: Any) -> bytes:
    """RFC 8785 for values without fractions."""
    text = _SPELL(value)
    return (text if text.isascii() else _SPELL_ALL(_ordered(value))).encode()


_SPELL_ALL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {name: _ordered(named[name]) for name in sorted(named, key=_code_units)}
    return [_ordered(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _code_units(name: str) -> bytes:
    return name.encode("utf-16-be")


def digest(value: Any) -> str:
    """SHA-256 of the canonical value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def leaf_hash(leaf: bytes) -> bytes:
    """A leaf's hash (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """An inner node's hash."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: list[bytes]) -> bytes:
    """The Merkle tree hash of leaves' hashes."""
    level = hashes
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        # A last one without a neighbour goes up as it is: that is the RFC's split at the largest power of two.
        pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def inclusion(hashes: list[bytes], index: int) -> list[bytes]:
    """The audit path of one leaf (2.1.3.1)."""
    if len(hashes) <= 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*inclusion(hashes[:split], index), root(hashes[split:])]
    return [*inclusion(hashes[split:], index - split), root(hashes[:split])]


def consistency(hashes: list[bytes], size: int) -> list[bytes]:
    """The proof that the tree of the first `size` leaves is the beginning of this one (2.1.4.1)."""

    def part(leaves: list[bytes], old: int, whole: bool) -> list[bytes]:
        if old == len(leaves):
            return [] if whole else [root(leaves)]
        split = 1 << (len(leaves) - 1).bit_length() - 1
        if old <= split:
            return [*part(leaves[:split], old, whole), root(leaves[split:])]
        return [*part(leaves[split:], old - split, False), root(leaves[:split])]

    return part(hashes, size, True) if 0 < size < len(hashes) else []


class Tree:
    """Leaves as they were added, and the root after any number of them, in steps."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []
        self._roots: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        self.hashes.append(made := leaf_hash(leaf))
        bits = len(self.hashes) - 1
        while bits & 1:
            made, bits = node_hash(self._roots.pop(), made), bits >> 1
        self._roots.append(made)

    @property
    def root(self) -> str:
        """The root of all of them."""
        if not self._roots:
            return root([]).hex()
        whole = self._roots[-1]
        for part in reversed(self._roots[:-1]):
            whole = node_hash(part, whole)
        return whole.hex()


class Verifier:
    """Takes an export line by line, and keeps what it found."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.findings: list[Finding] = []
        self.tree = Tree()
        self.leaves: dict[str, list[tuple[int, str, int]]] = {}
        self.hashes: dict[str, list[str]] = {}
        self.checkpoints = 0
        self.entries = 0
        self.fresh = 0
        self._times: dict[str, list[str]] = {}
        self._at: datetime | None = None
        self._before = ""

    def found(self, what: str, how: str) -> None:
        """Something does not hold."""
        self.findings.append((what, how))

    def take(self, number: int, text: str, passed_over: str = "") -> None:
        """One line of an export, unless it is of the kind that is passed over."""
        try:
            line = json.loads(text)
            kind = line["type"]
            if kind == passed_over:
                return
            if kind == "trail":
                self.trail(line)
            elif kind == "checkpoint":
                self.checkpoint(line)
            elif kind not in {"export", "end"}:
                self.found(f"line {number}", f"of no known type: {kind}")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            self.found(f"line {number}", f"is not what an export has: {type(error).__name__}")

    def checkpoint(self, line: dict[str, Any]) -> None:
        """Held to its signature, to the one before it, and to its leaves."""
        name = f"checkpoint {line['index']}"
        body = {field: line[field] for field in ("index", "size", "root", "ts", "previous")}
        try:
            self._key.verify(bytes.fromhex(line["signature"]), canonical(body))
        except (InvalidSignature, ValueError):
            self.found(name, "its signature is not of this key")
        if line["index"] != self.checkpoints or line["previous"] != self._before:
            self.found(name, "does not follow the one before it")
        wanted = [[f"checkpoints/{line['index'] - 1}", line["index"] - 1, line["previous"]]] if self.checkpoints else []
        if line["leaves"][: len(wanted)] != wanted:
            self.found(name, "its first leaf is not the checkpoint before it")
        for trail, seq, head in line["leaves"]:
            self.leaves.setdefault(trail, []).append((seq, head, len(self.tree.hashes)))
            self.tree.add(canonical([trail, seq, head]))
        if (line["size"], line["root"]) != (len(self.tree.hashes), self.tree.root):
            self.found(name, "its root is not that of its leaves")
        self.checkpoints, self._before = self.checkpoints + 1, digest(body)
        self._at = datetime.fromisoformat(line["ts"])

    def trail(self, line: dict[str, Any]) -> None:
        """Held to its own chain, and the document to the trail."""
        name, entries = line["trail"], line["entries"]
        if name in self.hashes:
            self.found(name, "is there twice")
            return
        before, said = "", ""
        for place, entry in enumerate(entries, start=1):
            body = {field: value for field, value in entry.items() if field != "hash"}
            if entry["seq"] != place:
                self.found(name, f"entry {place} is missing: {entry['seq']} stands in its place")
                break
            if digest(body) != entry["hash"]:
                self.found(name, f"entry {place} was edited: its hash is another")
            if entry["prevHash"] != before:
                self.found(name, f"entry {place} does not follow the one before it")
            if entry["before"] != said:
                self.found(name, f"the document was changed before entry {place} without an entry")
            before, said = entry["hash"], entry["after"]
        if not entries:
            self.found(name, "has no entry")
        elif digest(line["content"]) != said:
            self.found(name, "the document does not say what its last entry vouches for")
        for field, thing in line["attached"].items():
            if digest(thing) != line["content"].get(field):
                self.found(name, f"its {field} was edited")
        self.hashes[name] = [entry["hash"] for entry in entries]
        self._times[name] = [entry["ts"] for entry in entries]
        self.entries += len(entries)

    def held(self) -> None:
        """Once everything was taken: what the checkpoints have seen is there, and nothing that they should have seen is not."""
        for trail, seen in self.leaves.items():
            if not trail.startswith("checkpoints/"):
                self._seen(trail, seen)
        for trail, times in self._times.items():
            covered = max((seq for seq, _, _ in self.leaves.get(trail, [])), default=0)
            self._unseen(trail, covered, times)

    def _seen(self, trail: str, seen: list[tuple[int, str, int]]) -> None:
        hashes = self.hashes.get(trail)
        if hashes is None:
            return self.found(trail, "was deleted: a checkpoint has seen it")
        for seq, head, _ in seen:
            if seq > len(hashes):
                return self.found(trail, f"was cut: a checkpoint has seen entry {seq}, {len(hashes)} are left")
            if hashes[seq - 1] != head:
                return self.found(trail, f"was written anew: entry {seq} is not the one that a checkpoint has seen")
        return None

    def _unseen(self, trail: str, covered: int, times: list[str]) -> None:
        for place, ts in enumerate(times[covered:], start=covered + 1):
            if self._at is not None and datetime.fromisoformat(ts) < self._at - SLACK:
                return self.found(trail, f"entry {place} was put in later: no checkpoint has seen it")
            self.fresh += 1
        return None

    def goes_on_from(self, size: int, wanted: str) -> None:
        """What was kept by the verifier's own hand is the beginning of this tree."""
        if size > len(self.tree.hashes):
            self.found("checkpoints", f"were rolled back: {size} leaves were known, {len(self.tree.hashes)} are left")
        elif root(self.tree.hashes[:size]).hex() != wanted:
            self.found("checkpoints", f"were written anew: the root of the first {size} leaves is another")


def verify(
    lines: Iterable[str],
    key: Ed25519PublicKey,
    checkpoints: Iterable[str] | None = None,
    known: tuple[int, str] | None = None,
) -> Verifier:
    """Everything that does not hold is in `findings`."""
    made = Verifier(key)
    for number, text in enumerate(checkpoints or (), start=1):
        made.take(number, text)
    for number, text in enumerate(lines, start=1):
        # Those that were kept outside of the database stand for those in the export.
        made.take(number, text, "" if checkpoints is None else "checkpoint")
    if not made.checkpoints:
        made.found("checkpoints", "there are none: nothing vouches for the trails")
    try:
        made.held()
    except ValueError as error:
        made.found("export", f"holds a time that is none: {error}")
    if known is not None:
        made.goes_on_from(*known)
    return made


def proof(made: Verifier, trail: str) -> dict[str, Any]:
    """The proof that the trail's newest checkpointed entry is in the tree. Raises `KeyError` where none is."""
    seq, head, index = made.leaves[trail][-1]
    path = inclusion(made.tree.hashes, index)
    size = len(made.tree.hashes)
    return {"trail": trail, "seq": seq, "hash": head, "leaf": index, "size": size, "path": [one.hex() for one in path]}


def report(made: Verifier) -> Iterator[str]:
    """What was found, for people."""
    for what, how in made.findings:
        yield f"{what}: {how}"
    yield (
        f"{len(made.hashes)} trails, {made.entries} entries ({made.fresh} since the last checkpoint), "
        f"{made.checkpoints} checkpoints; tree {len(made.tree.hashes)}:{made.tree.root}"
    )
    yield f"{len(made.findings)} do not hold" if made.findings else "everything holds"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--from", dest="known", type=_known)
    parser.add_argument("--proof")
    given = parser.parse_args(arguments)
    try:
        key = public_key(given.key)
        kept = given.checkpoints.read_text().splitlines() if given.checkpoints else None
        with given.export.open(encoding="utf-8") as lines:
            made = verify(lines, key, kept, given.known)
        said = [json.dumps(proof(made, given.proof))] if given.proof else []
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot verify: {error}\n")
        return UNREADABLE
    except KeyError:
        sys.stderr.write(f"no checkpoint has seen {given.proof}\n")
        return UNREADABLE
    sys.stdout.write("\n".join([*said, *report(made)]) + "\n")
    return TAMPERED if made.findings else OK


def public_key(path: Path) -> Ed25519PublicKey:
    """The key in a PEM file. Raises `OSError` or `ValueError`."""
    key = load_pem_public_key(path.read_bytes())
    if isinstance(key, Ed25519PublicKey):
        return key
    raise ValueError(f"{path} is not an Ed25519 key")


def _known(text: str) -> tuple[int, str]:
    size, _, wanted = text.partition(":")
    if not size.isdecimal() or len(wanted) != 64:
        raise argparse.ArgumentTypeError("expected SIZE:ROOT, as a verification prints it")
    return int(size), wanted.lower()


if __name__ == "__main__":
    sys.exit(main())
