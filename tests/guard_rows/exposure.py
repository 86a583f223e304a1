"""Guards of exposure at their bounds."""

from services.common.domain.account import Holding
from tests.builders_case import (
    DOLLAR,
    YES,
    a_case,
    a_holding,
    a_market,
    an_account,
    an_open_intent,
)
from tests.guard_rows.row import Row

FEE = 50_010
"""The highest fee of the order that the builder drafts."""

CENTS = 500_000


def elsewhere(*tokens: str) -> dict[str, Holding]:
    """Ten shares, bought at 50 cents, of each token, all in other markets of the event."""
    return {token: a_holding(token_id=token, condition_id=f"0x{token}") for token in tokens}


ROWS: list[Row] = [
    (
        "position",
        "the market's cap",
        lambda: a_case(
            account=an_account({"max_market_micros": 10 * DOLLAR}, held={YES: a_holding()}), marks={YES: 500_000}
        ),
        lambda: a_case(
            account=an_account({"max_market_micros": 10 * DOLLAR}, held={YES: a_holding(cost_micros=5 * DOLLAR + 1)}),
            marks={YES: 500_000},
        ),
        "market_cap",
    ),
    (
        "event_exposure",
        "what the event can cost",
        lambda: a_case(
            account=an_account({"max_event_micros": 10 * DOLLAR + FEE}, held=elsewhere("81")), marks={"81": CENTS}
        ),
        lambda: a_case(
            account=an_account({"max_event_micros": 10 * DOLLAR + FEE - 1}, held=elsewhere("81")), marks={"81": CENTS}
        ),
        "event_cap",
    ),
    (
        "event_exposure",
        "one market of a neg-risk event wins what another loses",
        lambda: a_case(
            market=a_market(neg_risk=True),
            account=an_account({"max_event_micros": 5 * DOLLAR + FEE}, held=elsewhere("81", "91")),
            marks={"81": CENTS, "91": CENTS},
            outcomes={"81": 1, "91": 1},
        ),
        lambda: a_case(
            market=a_market(neg_risk=True),
            account=an_account({"max_event_micros": 5 * DOLLAR + FEE}, held=elsewhere("81", "91")),
            marks={"81": CENTS, "91": CENTS},
            outcomes={"81": 1, "91": 0},
        ),
        "event_cap",
    ),
    (
        "account_exposure",
        "half of the equity",
        lambda: a_case(
            account=an_account(open={"other": an_open_intent(usdc_micros=495 * DOLLAR)}),
        ),
        lambda: a_case(
            account=an_account(open={"other": an_open_intent(usdc_micros=495 * DOLLAR + 1)}),
        ),
        "capital_threshold",
    ),
]
