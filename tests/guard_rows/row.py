"""What a row of the tables is, and what their cases share."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.common.domain.account import Day
from services.engine.case import Case
from tests.builders_case import DOLLAR, NOON, a_book, a_case, an_open_intent, levels, seconds

MS = timedelta(milliseconds=1)
TODAY = NOON.date().isoformat()
Row = tuple[str, str, Callable[[], Case], Callable[[], Case], str]
"""The guard, the name of the bound, a case within it, a case one step beyond it, the reason of the refusal."""


def follow(case: Case, **changes: Any) -> Case:
    assert case.follow
    return replace(case, follow=replace(case.follow, **changes))


def spent(micros: int, **changes: Any) -> dict[str, Any]:
    return {"days": {TODAY: Day(spent_micros=micros, **changes)}}


def opened(count: int, **changes: Any) -> dict[str, Any]:
    names = [f"o{n}" for n in range(count)]
    return {"open": {name: an_open_intent(copy_id=name, usdc_micros=0, matched=True, **changes) for name in names}}


def low_and_old(ask: int, **changes: Any) -> Case:
    """A trade at 20 cents, as old as one may be, so that fair is mid: two cents and the fee bound are all that may be lost."""
    book = a_book(bids=levels(("14", 1000)), asks=levels((str(ask), 1000)))
    trade = {"usdc_micros": 20 * DOLLAR, "traded_at": NOON - seconds(30)}
    return a_case(trade=trade, policy={"ratio_bps": 5_000}, book=book, **changes)
