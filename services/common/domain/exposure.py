"""What one event does to an account's exposure. Pure; every store applies the same change."""

from collections.abc import Mapping
from dataclasses import replace

from services.common.domain.account import Day, Exposure, ExposureChange, Holding


def applied(exposure: Exposure, change: ExposureChange) -> Exposure:
    """The exposure after `change`. A holding that reaches zero shares is unset."""
    opened = {copy_id: intent for copy_id, intent in exposure.open.items() if copy_id != change.drop}
    if change.put is not None:
        opened[change.put.copy_id] = change.put
    return Exposure(
        open=opened,
        held=_held(exposure.held, change.held),
        days=_days(exposure.days, change),
        high_water_micros=max(exposure.high_water_micros, change.high_water_micros),
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
    if not change.spent_micros and not change.lost_micros:
        return days
    date = change.at.date().isoformat()
    day = days.get(date, Day())
    leaders = dict(day.leaders)
    if change.spent_micros:
        leaders[change.spent_on] = leaders.get(change.spent_on, 0) + change.spent_micros
    moved = Day(day.spent_micros + change.spent_micros, leaders, day.lost_micros + change.lost_micros)
    return {**days, date: moved}
