"""Who has logged in, or tried to: no document changes by it, so each UTC day has one that is nothing but its trail."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.common.domain import contents
from services.common.domain.trail import Trail, lengthened, sealed


@dataclass(frozen=True, slots=True)
class LogIns:
    """The document of one day."""

    day: str
    trail: Trail = ()


def day_of(now: datetime) -> str:
    """The day that an instant belongs to."""
    return now.date().isoformat()


def noted(known: LogIns, who: str, action: str, now: datetime) -> LogIns:
    """The day with one more entry."""
    said = contents.hashed(contents.of_log_ins(known.day))
    return replace(known, trail=sealed(lengthened(known.trail, now, who, action, 0, said), said))
