"""What the stores answer where it is more than one thing, or one after the other."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One change of a watched collection; `token` resumes after it. `value` is None for a resync marker: read a snapshot first."""

    token: str
    value: T | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a listing; `total` counts all of it."""

    items: tuple[T, ...]
    total: int
