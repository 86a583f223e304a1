"""Access tokens that were refused: each UTC day has a document with how often, why and whose, and a trail of how it grew (security.md 9).

However many are shown, a day stays small: refusals are counted, and what is refused beyond so many different ones is counted together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.domain import contents
from services.common.domain.trail import Trail, lengthened, sealed

MOST = 200
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often tokens were refused for one reason; `subject` is whose they were, where a key of ours has signed that, else empty."""

    reason: str
    subject: str
    count: int
    first_at: datetime
    last_at: datetime

    @property
    def key(self) -> tuple[str, str]:
        """What refusals are counted by."""
        return self.reason, self.subject


@dataclass(frozen=True, slots=True)
class RefusedTokens:
    """The document of one day."""

    day: str
    refusals: tuple[Refusal, ...] = ()
    trail: Trail = ()


def content(day: RefusedTokens) -> contents.Content:
    """What its trail vouches for: how often each reason was given, to whom, and when first and last."""
    refusals = [
        [one.reason, one.subject, one.count, contents.instant(one.first_at), contents.instant(one.last_at)]
        for one in day.refusals
    ]
    return {"day": day.day, "refusals": refusals}


def together(known: Iterable[Refusal], more: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """Counted together, in their order: at most `MOST` different ones, the rest as one of `others`."""
    sums = {one.key: one for one in known}
    for one in more:
        key = one.key if one.key in sums or len(sums) < MOST else (OTHERS, "")
        sums[key] = _sum(sums.get(key), replace(one, reason=key[0], subject=key[1]))
    return tuple(sums.values())


def by_day(refusals: Iterable[Refusal]) -> dict[str, tuple[Refusal, ...]]:
    """Each day's, by when each was last."""
    days: dict[str, tuple[Refusal, ...]] = {}
    for one in refusals:
        day = one.last_at.date().isoformat()
        days[day] = (*days.get(day, ()), one)
    return days


def noted(known: RefusedTokens, refusals: Iterable[Refusal], now: datetime) -> RefusedTokens:
    """The day with these, and the entry that says how many there were."""
    more = tuple(refusals)
    before = contents.hashed(content(known)) if known.trail else ""
    after = replace(known, refusals=together(known.refusals, more))
    drafted = lengthened(known.trail, now, "tokens", f"refused:{sum(one.count for one in more)}", 0, before)
    return replace(after, trail=sealed(drafted, contents.hashed(content(after))))


def _sum(known: Refusal | None, more: Refusal) -> Refusal:
    if known is None:
        return more
    first, last = min(known.first_at, more.first_at), max(known.last_at, more.last_at)
    return replace(known, count=known.count + more.count, first_at=first, last_at=last)
