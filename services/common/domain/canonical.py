"""One spelling of a value, so that everybody who hashes it gets the same hash: RFC 8785 (JCS) for values without fractions."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import cast

import orjson

EXACT = 2**53
"""JSON's numbers are doubles to most readers: a larger integer is written as text."""


def canonical(value: object) -> bytes:
    """The value in JCS. Mappings by text, lists, tuples, text, integers, booleans and None; raises `TypeError` for anything else."""
    return orjson.dumps(_ordered(value))


def digest(value: object) -> str:
    """SHA-256 of the canonical value, in lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _ordered(value: object) -> object:
    # A decision is some hundred values and is hashed on the way to its order: what most of them are is asked for first.
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        named = cast("dict[str, object]", value)
        return {name: _ordered(named[name]) for name in _in_order(named)}
    if kind is list or kind is tuple:
        return [item if type(item) is str else _ordered(item) for item in cast("list[object]", value)]
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, int):  # also a kind of its own, as the database answers and as names of a status are
        plain = int(value)
        return plain if -EXACT < plain < EXACT else str(plain)
    if isinstance(value, str):  # an enum
        return str(value)
    if isinstance(value, Mapping):
        return _ordered(dict(cast("Mapping[str, object]", value)))
    if isinstance(value, list | tuple):
        return _ordered(list(cast("list[object]", value)))
    raise TypeError(f"{type(value).__name__} has no canonical form here")


def _in_order(names: Iterable[str]) -> list[str]:
    """By UTF-16 code units, as the RFC wants; plain ASCII is in that order anyway."""
    found = sorted(names)
    return found if all(map(str.isascii, found)) else sorted(found, key=lambda name: name.encode("utf-16-be"))
