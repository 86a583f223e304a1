"""Guards of the price at their bounds."""

from tests.builders_case import (
    DOLLAR,
    SHARE,
    a_book,
    a_case,
    an_account,
    levels,
)
from tests.guard_rows.row import Row, low_and_old

ROWS: list[Row] = [
    (
        "price_band",
        "the highest price",
        lambda: a_case(
            trade={"usdc_micros": 98 * DOLLAR},
            book=a_book(bids=levels(("97", 999)), asks=levels(("98", 999))),
        ),
        lambda: a_case(
            trade={"usdc_micros": 99 * DOLLAR},
            book=a_book(bids=levels(("98", 999)), asks=levels(("99", 999))),
        ),
        "leader_outside",
    ),
    (
        "price_band",
        "our own limit",
        lambda: a_case(account=an_account({"max_price_micros": 500_000})),
        lambda: a_case(
            account=an_account({"max_price_micros": 500_000}),
            draft={"limit_micros": 510_000, "shares_micros": 9 * SHARE, "usdc_micros": 4_590_000},
        ),
        "ours_outside",
    ),
    (
        "price_band",
        "the lowest price",
        lambda: a_case(account=an_account({"min_price_micros": 500_000})),
        lambda: a_case(account=an_account({"min_price_micros": 500_001})),
        "leader_outside",
    ),
    (
        "edge",
        "what slippage and the fee bound allow to lose",
        lambda: low_and_old(20, account=an_account({"min_collar_ticks": 4, "max_fee_bps": 1_000})),
        lambda: low_and_old(20, account=an_account({"min_collar_ticks": 4})),
        "no_edge",
    ),
    (
        "slippage",
        "two ticks",
        lambda: a_case(draft={"limit_micros": 520_000, "shares_micros": 9_500_000, "usdc_micros": 4_940_000}),
        lambda: a_case(
            account=an_account({"min_collar_ticks": 9}),
            draft={"limit_micros": 530_000, "shares_micros": 9_000_000, "usdc_micros": 4_770_000},
        ),
        "beyond_bound",
    ),
    (
        "slippage",
        "depth for an order",
        lambda: a_case(book=a_book(asks=levels(("50", 5), ("53", 999)))),
        lambda: a_case(book=a_book(asks=levels(("50", 4), ("53", 999)))),
        "no_depth",
    ),
    (
        "price_collar",
        "three ticks beyond mid",
        lambda: a_case(
            policy={"slippage_bps": 2_000},
            draft={"limit_micros": 520_000, "shares_micros": 9_500_000, "usdc_micros": 4_940_000},
        ),
        lambda: a_case(
            policy={"slippage_bps": 2_000},
            draft={"limit_micros": 530_000, "shares_micros": 9_000_000, "usdc_micros": 4_770_000},
        ),
        "beyond_collar",
    ),
]
