"""What Gamma says of a market's subjects, and of what a resolved one pays."""

import json
from typing import Any

import pytest

from services.common.domain.market import Market
from services.common.polymarket.parse.gamma import build_market, read_gamma_market
from services.common.polymarket.parse.payload import Fields, UnknownPayload
from tests.builders import NOON

YES, NO = "7" * 70, "8" * 70


def a_market(**changes: Any) -> Market:
    row: dict[str, Any] = {
        "conditionId": "0x" + "c" * 64,
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([YES, NO]),
        "orderMinSize": 5,
        "active": True,
        "closed": False,
        "version": "v1",
    }
    row |= {"orderPriceMinTickSize": "0.01", **changes}
    return build_market(read_gamma_market(Fields("gamma_market", row)), None, NOON)


def test_a_markets_subjects_are_its_own_and_its_events_in_lower_case() -> None:
    event = {"id": "7", "tags": [{"slug": "Politics"}, {"slug": "us-politics"}]}

    assert a_market(tags=[{"slug": "politics"}, {"slug": "senate"}], events=[event]).tags == (
        "politics",
        "senate",
        "us-politics",
    )
    assert a_market(tags=[]).tags == ()


def test_a_market_of_which_nobody_names_the_subjects_has_none_that_are_known() -> None:
    assert a_market().tags is None


@pytest.mark.parametrize(
    ("changes", "payouts"),
    [
        ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0", "1"]'}, (0, 1_000_000)),
        ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}, (500_000, 500_000)),
        ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.999", "0"]'}, None),
        ({"closed": True, "umaResolutionStatus": "resolved"}, None),
        ({"closed": True, "umaResolutionStatus": "proposed", "outcomePrices": '["0", "1"]'}, None),
        ({"umaResolutionStatus": "resolved", "outcomePrices": '["0", "1"]'}, None),
    ],
    ids=[
        "resolved",
        "resolved as a draw",
        "less than a dollar",
        "without prices",
        "not resolved yet",
        "not closed yet",
    ],
)
def test_a_market_pays_once_it_is_resolved(changes: dict[str, Any], payouts: tuple[int, int] | None) -> None:
    assert a_market(**changes).payouts == payouts


def test_what_a_share_pays_is_known_by_its_token() -> None:
    market = a_market(closed=True, umaResolutionStatus="resolved", outcomePrices='["0", "1"]')

    assert [market.payout(token) for token in (YES, NO, "9")] == [0, 1_000_000, None]
    assert a_market().payout(YES) is None


def test_a_price_that_is_no_number_is_not_known() -> None:
    with pytest.raises(UnknownPayload, match="outcomePrices"):
        a_market(closed=True, outcomePrices='["yes", "no"]')
