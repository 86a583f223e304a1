"""Windows of `/prices-history`: what is asked for, what is refused, and which points are told."""

from itertools import pairwise

import pytest

from services.venue.clob.history import DAY_S, HOUR_S, MOST_POINTS, Window, read_window, sampled
from services.venue.clob.pages import END, MARKETS, page
from services.venue.clob.past import Point
from services.venue.clob.tuning import Ended, Tuning
from services.venue.refusals import Refusal

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        ({"interval": "1h"}, Window(NOW - HOUR_S, NOW, 1)),
        ({"interval": "1w", "fidelity": "5"}, Window(NOW - 7 * DAY_S, NOW, 5)),
        ({"startTs": str(NOW - 60), "endTs": str(NOW - 30)}, Window(NOW - 60, NOW - 30, 1)),
        ({"startTs": str(NOW - 60), "interval": "1d", "fidelity": "2"}, Window(NOW - 60, NOW, 2)),
    ],
)
def test_a_window_is_an_interval_or_two_instants(asked, window):
    assert read_window(asked, NOW) == window


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, "must be set"),
        ({"endTs": str(NOW)}, "must be set"),
        ({"interval": "2d"}, "'interval' must be one of"),
        ({"interval": "1m"}, "minimum 'fidelity' for '1m' range is 10"),
        ({"interval": "1w", "fidelity": "4"}, "minimum 'fidelity' for '1w' range is 5"),
        ({"interval": "1h", "fidelity": "0"}, "'fidelity' must be"),
        ({"interval": "1h", "fidelity": "\u00b2"}, "'fidelity' must be"),
        ({"startTs": "noon"}, "'startTs' must be a Unix timestamp"),
        ({"startTs": str(NOW), "endTs": str(NOW * 1_000)}, "interval is too long"),
        ({"startTs": str(NOW), "endTs": str(NOW - 1)}, "must be before"),
    ],
)
def test_a_window_that_is_none_is_refused_by_name(asked, text):
    with pytest.raises(Refusal, match=r"^invalid filters: ") as caught:
        read_window(asked, NOW)

    assert text in caught.value.text


def test_each_step_tells_its_last_price_and_the_newest_steps_are_kept():
    points = [Point(at, at) for at in range(0, (MOST_POINTS + 100) * 60, 30)]
    found = sampled(points, Window(0, NOW, 1))

    assert len(found) == MOST_POINTS
    assert found[-1] == points[-1]
    assert {later.at_s - sooner.at_s for sooner, later in pairwise(found)} == {60}
    assert sampled(points, Window(59, 60, 1)) == [Point(60, 60)]


def test_pages_follow_each_other_to_the_end_and_no_further():
    first = page(range(5), None, 2, MARKETS)
    second = page(range(5), first["next_cursor"], 2, MARKETS)
    third = page(range(5), second["next_cursor"], 2, MARKETS)

    assert [one["data"] for one in (first, second, third)] == [[0, 1], [2, 3], [4]]
    assert [one["count"] for one in (first, second, third)] == [2, 2, 1]
    assert third["next_cursor"] == END
    assert page(range(5), "NTAw", 2)["data"] == []
    for cursor in (END, "!", "LTE", "w7I="):
        with pytest.raises(Refusal):
            page(range(5), cursor, 2)


@pytest.mark.parametrize(
    "wanted", [{"ended": "gone"}, {"ended": None}, {"matched_lag_ms": -1}, {"matched_lag_ms": True}, {"other": 1}]
)
def test_a_switch_that_is_not_there_turns_nothing(wanted):
    with pytest.raises(Refusal):
        Tuning().changed(wanted)

    assert Tuning().changed({"ended": "object", "matched_lag_ms": 5}) == Tuning(Ended.OBJECT, matched_lag_ms=5)
