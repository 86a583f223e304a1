"""What a guard says: data that is stored, shown and replayed as it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from services.common.domain.canonical import digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """One guard's answer. `observed` and `limit` hold figures as text by name; `age_ms` is the age of the oldest input used."""

    guard: str
    ok: bool
    reason: str = ""
    observed: Mapping[str, str] = field(default_factory=dict[str, str])
    limit: Mapping[str, str] = field(default_factory=dict[str, str])
    age_ms: int | None = None


@dataclass(frozen=True)
class Decision:
    """The whole report on one copy at one moment, kept pass or refuse.

    `record` is the snapshot that it was made on in JSON, enough to make it again: nobody asks the database for what is in it, so it is one
    text there. `market` is the condition id of the market that was judged; empty where none was known.
    """

    at: datetime
    account_seq: int
    verdicts: tuple[Verdict, ...]
    record: str = "{}"
    market: str = ""

    @property
    def refusals(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)

    @property
    def allowed(self) -> bool:
        """Approved means that guards were asked and none refused."""
        return bool(self.verdicts) and not self.refusals

    @cached_property
    def case(self) -> Mapping[str, object]:
        """The snapshot in plain data."""
        return json.loads(self.record)

    @cached_property
    def digest(self) -> str:
        """The hash of the whole report, which stands for it in its copy's trail."""
        return digest(self.content())

    def content(self) -> dict[str, object]:
        """The report as it is hashed and exported."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "accountSeq": self.account_seq,
            "verdicts": [[one.guard, one.ok, one.reason, one.observed, one.limit, one.age_ms] for one in self.verdicts],
            "record": self.record,
            "market": self.market,
        }
