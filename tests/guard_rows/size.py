"""Guards of the order's size at their bounds."""

from services.common.domain.market import Fee
from tests.builders_case import (
    DOLLAR,
    SHARE,
    a_book,
    a_case,
    a_market,
    an_account,
    levels,
)
from tests.guard_rows.row import Row

ROWS: list[Row] = [
    (
        "sizing",
        "the size that the policy computes",
        a_case,
        lambda: a_case(draft={"shares_micros": 9_980_000, "usdc_micros": 4_990_000}),
        "not_the_policys",
    ),
    (
        "sizing",
        "five shares",
        lambda: a_case(policy={"ratio_bps": 500}),
        lambda: a_case(policy={"ratio_bps": 498}),
        "below_minimum",
    ),
    (
        "sizing",
        "one dollar",
        lambda: a_case(
            market=a_market(fee=Fee(10_000)),
            trade={"usdc_micros": 10 * DOLLAR},
            book=a_book(bids=levels(("9", 999)), asks=levels(("10", 999))),
        ),
        lambda: a_case(
            market=a_market(fee=Fee(10_000)),
            trade={"usdc_micros": 10 * DOLLAR - 1, "shares_micros": 100 * SHARE - 10},
            book=a_book(bids=levels(("9", 999)), asks=levels(("10", 999))),
        ),
        "below_minimum",
    ),
    (
        "venue_validity",
        "its exact value",
        a_case,
        lambda: a_case(draft={"usdc_micros": 5 * DOLLAR - 1}),
        "not_its_value",
    ),
    (
        "venue_validity",
        "the token that the leader traded",
        a_case,
        lambda: a_case(draft={"token_id": "73"}),
        "not_this_copy",
    ),
    (
        "order_size",
        "the notional of an order",
        lambda: a_case(account=an_account({"max_order_micros": 5 * DOLLAR})),
        lambda: a_case(account=an_account({"max_order_micros": 5 * DOLLAR - 1})),
        "too_big",
    ),
    (
        "order_size",
        "the shares of an order",
        lambda: a_case(account=an_account({"max_order_shares_micros": 10 * SHARE})),
        lambda: a_case(account=an_account({"max_order_shares_micros": 10 * SHARE - 1})),
        "too_many_shares",
    ),
    (
        "fee_bound",
        "two per cent of the notional",
        lambda: a_case(market=a_market(fee=Fee(39_990))),
        lambda: a_case(market=a_market(fee=Fee(40_000))),
        "fee_too_high",
    ),
]
