"""A payload that no parser knows: counted and kept, never guessed at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`shape` maps each field to the name of its type, so that what changed can be seen without reading values; `digest` makes repeats one."""

    digest: str
    source: str
    reason: str
    shape: Mapping[str, str]
    body: str
    first_at: datetime
    count: int = 1
