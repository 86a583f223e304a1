"""Log filters: which events a subscription or eth_getLogs asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from services.venue.node import params
from services.venue.node.block import Log
from services.venue.node.errors import InvalidParams

MAX_TOPICS = 4


@dataclass(frozen=True, slots=True)
class LogFilter:
    """None in `addresses`, or at a place in `topics`, means any."""

    addresses: frozenset[bytes] | None
    topics: tuple[frozenset[bytes] | None, ...]

    def admits(self, log: Log) -> bool:
        if self.addresses is not None and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(wanted is None or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False))


def read(fields: dict[str, Any]) -> LogFilter:
    """Address: one, a list or absent. Topics: per place a value, null, or a list of alternatives."""
    topics: Any = fields.get("topics") or []
    if not isinstance(topics, list) or len(cast("list[Any]", topics)) > MAX_TOPICS:
        raise InvalidParams(f"topics: expected a list of at most {MAX_TOPICS}")
    return LogFilter(
        addresses=_alternatives(fields.get("address"), "address", 20),
        topics=tuple(_alternatives(topic, "topic", 32) for topic in cast("list[Any]", topics)),
    )


def _alternatives(value: Any, what: str, length: int) -> frozenset[bytes] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return frozenset((params.data(value, what, length),))
    several = cast("list[Any]", value)
    if not several or None in several:
        return None
    return frozenset(params.data(one, what, length) for one in several)
