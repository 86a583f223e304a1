"""A span of seconds, as `after` and `before` of a query name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.venue.digits import whole
from services.venue.refusals import Refusal

FAR = 2**63


@dataclass(frozen=True, slots=True)
class Span:
    """Both ends included."""

    after: int = 0
    before: int = FAR

    def holds(self, second: int) -> bool:
        return self.after <= second <= self.before


def read_span(asked: Mapping[str, str]) -> Span:
    """The whole of time where nothing is said. Raises `Refusal` for what is no second."""
    return Span(_second(asked, "after", 0), _second(asked, "before", FAR))


def _second(asked: Mapping[str, str], name: str, default: int) -> int:
    second = whole(asked.get(name) or str(default))
    if second is None:
        raise Refusal(f"invalid {name}")
    return second
