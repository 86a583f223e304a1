"""What one event does to an account's exposure. Pure; every store applies the same change."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain.account import Day, Exposure, ExposureChange, Holding
from services.common.domain.money import MICRO, mul_div

OPENS_WITHIN = timedelta(minutes=5)
"""Marks of this long after a day (UTC) began are still those that it began with."""


def is_opening(now: datetime) -> bool:
    """Whether the day began a moment ago, so that what holdings are worth now is what it began with."""
    began = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now - began <= OPENS_WITHIN


def opening(exposure: Exposure, marks: Mapping[str, int], now: datetime) -> int | None:
    """What the holdings had lost on their marks when `now`'s day began, a gain below zero; None while one of them has no mark.

    What was gained today by sales was a gain of holdings when the day began. What was lost by sales may have been lost since, and later
    in the day so may what the marks say: of those only a gain is believed. Either way the day is never told to have lost too little.
    """
    if any(token not in marks for token in exposure.held):
        return None
    lost = sum(
        holding.cost_micros - mul_div(holding.shares_micros, marks[token], MICRO)
        for token, holding in exposure.held.items()
    )
    begun = lost + min(exposure.day(now).lost_micros, 0)
    return begun if is_opening(now) else min(begun, 0)


def applied(exposure: Exposure, change: ExposureChange) -> Exposure:
    """The exposure after `change`. A holding that reaches zero shares is unset."""
    opened = {copy_id: intent for copy_id, intent in exposure.open.items() if copy_id != change.drop}
    if change.put is not None:
        opened[change.put.copy_id] = change.put
    forgotten = exposure.forgets_best and change.high_water_micros
    return Exposure(
        open=opened,
        held=_held(exposure.held, change.held),
        days=_days(exposure.days, change),
        high_water_micros=max(0 if forgotten else exposure.high_water_micros, change.high_water_micros),
        forgets_best=exposure.forgets_best and not forgotten,
    )


def _held(held: Mapping[str, Holding], moved: Holding | None) -> Mapping[str, Holding]:
    if moved is None:
        return held
    before = held.get(moved.token_id)
    after = replace(
        moved,
        shares_micros=moved.shares_micros + (before.shares_micros if before else 0),
        cost_micros=moved.cost_micros + (before.cost_micros if before else 0),
    )
    rest = {token: holding for token, holding in held.items() if token != moved.token_id}
    return rest | {moved.token_id: after} if after.shares_micros else rest


def _days(days: Mapping[str, Day], change: ExposureChange) -> Mapping[str, Day]:
    if not change.spent_micros and not change.lost_micros and change.opening_micros is None:
        return days
    date = change.at.date().isoformat()
    day = days.get(date, Day())
    leaders = dict(day.leaders)
    if change.spent_micros:
        leaders[change.spent_on] = leaders.get(change.spent_on, 0) + change.spent_micros
    spent, lost = day.spent_micros + change.spent_micros, day.lost_micros + change.lost_micros
    begun = change.opening_micros if day.opening_micros is None else day.opening_micros
    return {**days, date: Day(spent, leaders, lost, begun)}
