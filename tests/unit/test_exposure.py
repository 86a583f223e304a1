"""What holdings had lost when a day began: never told to be more than it can have been, so that the day has never lost too little."""

from datetime import UTC, datetime, timedelta

import pytest

from services.common.domain.account import Day, Exposure
from services.common.domain.exposure import opening
from tests.builders_case import DOLLAR, YES, a_holding

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
LAST = MIDNIGHT + timedelta(minutes=5)
LATE = LAST + timedelta(microseconds=1)


def begun(mark_micros: int, now: datetime, realised_micros: int = 0) -> int | None:
    """What the day began with of ten shares that cost five dollars."""
    days = {now.date().isoformat(): Day(lost_micros=realised_micros)}
    return opening(Exposure(held={YES: a_holding()}, days=days), {YES: mark_micros}, now)


@pytest.mark.parametrize(("mark", "lost"), [(200_000, 3 * DOLLAR), (500_000, 0), (800_000, -3 * DOLLAR)])
@pytest.mark.parametrize("now", [MIDNIGHT, LAST])
def test_it_is_what_the_marks_say_a_moment_after_midnight(now: datetime, mark: int, lost: int):
    assert begun(mark, now) == lost


@pytest.mark.parametrize(("mark", "lost"), [(200_000, 0), (500_000, 0), (800_000, -3 * DOLLAR)])
@pytest.mark.parametrize("now", [LATE, MIDNIGHT - timedelta(microseconds=1)])
def test_later_what_is_lost_may_be_of_today_and_only_a_gain_is_believed(now: datetime, mark: int, lost: int):
    assert begun(mark, now) == lost


@pytest.mark.parametrize(("realised", "lost"), [(-DOLLAR, 2 * DOLLAR), (DOLLAR, 3 * DOLLAR)])
def test_a_gain_that_was_sold_since_was_there_and_a_loss_may_have_come_since(realised: int, lost: int):
    assert begun(200_000, LAST, realised) == lost


def test_a_gain_that_was_sold_before_a_late_look_was_there_too():
    assert begun(200_000, LATE, -4 * DOLLAR) == -DOLLAR
    assert begun(200_000, LATE, DOLLAR) == 0


def test_it_is_not_known_while_a_holding_has_no_mark():
    held = {YES: a_holding(), "81": a_holding(token_id="81")}

    assert opening(Exposure(held=held), {YES: 500_000}, MIDNIGHT) is None
    assert opening(Exposure(held=held), {YES: 500_000, "81": 0}, MIDNIGHT) == 5 * DOLLAR


def test_without_holdings_there_is_nothing_to_begin_with():
    assert opening(Exposure(), {}, MIDNIGHT) == opening(Exposure(), {}, LATE) == 0
