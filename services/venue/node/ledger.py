"""What every account and slot holds now, and what it held at the end of earlier blocks, as far back as is kept."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from eth_utils.crypto import keccak

NO_CODE = keccak(b"")


class Holder(NamedTuple):
    """An account without its storage."""

    nonce: int = 0
    balance: int = 0
    code_hash: bytes = NO_CODE


NOBODY = Holder()

# An account's address, or an address and a slot. What is not there is NOBODY, or 0.
Key = bytes | tuple[bytes, int]
Value = Holder | int


def nothing(key: Key) -> Value:
    """What a key holds that was never written."""
    return 0 if isinstance(key, tuple) else NOBODY


_NOTHING: dict[Key, Value] = {}


class Ledger:
    """Values by key, and for each kept block what its keys held before it. A flat map instead of the trie of a real node: no proofs,
    but a block costs what it changes, and forgetting one gives its memory back."""

    def __init__(self) -> None:
        self.codes: dict[bytes, bytes] = {NO_CODE: b""}
        self._now: dict[Key, Value] = {}
        self._before: deque[tuple[int, dict[Key, Value]]] = deque()
        self._numbers: dict[Key, list[int]] = {}

    def now(self, key: Key) -> Value:
        """What the key holds since the newest block."""
        found = self._now.get(key)
        return nothing(key) if found is None else found

    def at(self, key: Key, number: int) -> Value:
        """What the key held at the end of a kept block."""
        numbers = self._numbers.get(key)
        if numbers is None or (place := bisect_right(numbers, number)) == len(numbers):
            return self.now(key)
        changed_in = numbers[place]
        return self._before[changed_in - self._before[0][0]][1][key]

    def write(self, number: int, changes: Mapping[Key, Value]) -> bytes:
        """Takes over what a block changed; a digest of it, empty where that is nothing."""
        before: dict[Key, Value] = {}
        written: list[bytes] = []
        for key, value in changes.items():
            held = self.now(key)
            if held == value:
                continue
            before[key] = held
            self._put(key, value)
            self._numbers.setdefault(key, []).append(number)
            written.append(_bytes(key, value))
        self._before.append((number, before or _NOTHING))
        return keccak(b"".join(written)) if written else b""

    def take_back(self) -> None:
        """Undoes the newest block."""
        _, before = self._before.pop()
        for key, value in before.items():
            self._put(key, value)
            self._unnumber(key, -1)

    def forget(self) -> None:
        """Gives up the oldest block's state."""
        _, before = self._before.popleft()
        for key in before:
            self._unnumber(key, 0)

    def slots(self, address: bytes) -> list[Key]:
        """Every slot of an account that holds something. Slow: it looks at all there are."""
        return [key for key in self._now if isinstance(key, tuple) and key[0] == address]

    def _put(self, key: Key, value: Value) -> None:
        if value == nothing(key):
            self._now.pop(key, None)
        else:
            self._now[key] = value

    def _unnumber(self, key: Key, place: int) -> None:
        numbers = self._numbers[key]
        numbers.pop(place)
        if not numbers:
            del self._numbers[key]


def _bytes(key: Key, value: Value) -> bytes:
    place = key if isinstance(key, bytes) else key[0] + key[1].to_bytes(32, "big")
    if isinstance(value, int):
        return place + value.to_bytes(32, "big")
    return place + value.nonce.to_bytes(8, "big") + value.balance.to_bytes(32, "big") + value.code_hash
