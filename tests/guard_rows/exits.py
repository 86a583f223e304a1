"""Guards that bind exits, at their bounds."""

from datetime import timedelta

from services.common.domain.market import Side
from tests.builders_case import (
    NO,
    NOON,
    SHARE,
    a_book,
    a_market,
    an_account,
    an_exit_case,
    an_open_intent,
    levels,
)
from tests.guard_rows.row import Row

ROWS: list[Row] = [
    (
        "position",
        "what is settled, not being sold and not another follow's",
        lambda: an_exit_case(
            settled_micros=26 * SHARE,
            others_micros=2 * SHARE,
            account=an_account(open={"other": an_open_intent(side=Side.SELL, shares_micros=4 * SHARE, matched=True)}),
        ),
        lambda: an_exit_case(
            draft={"shares_micros": 20 * SHARE, "usdc_micros": 9_600_000},
            owed=20 * SHARE,
            market=a_market(min_size_micros=20 * SHARE),
            settled_micros=26 * SHARE - 1,
            others_micros=2 * SHARE,
            account=an_account(open={"other": an_open_intent(side=Side.SELL, shares_micros=4 * SHARE, matched=True)}),
        ),
        "not_settled",
    ),
    (
        "slippage",
        "an exit's bound, ten seconds old",
        an_exit_case,
        lambda: an_exit_case(draft={"limit_micros": 470_000, "usdc_micros": 9_400_000}),
        "beyond_bound",
    ),
    (
        "price_collar",
        "the policy's floor for exits",
        lambda: an_exit_case(
            exit_opened_at=NOON - timedelta(days=1),
            policy={"exit_floor_bps": 1_000},
            draft={"limit_micros": 460_000, "usdc_micros": 9_200_000},
            book=a_book(bids=levels(("50", 999)), asks=levels(("51", 9))),
        ),
        lambda: an_exit_case(
            exit_opened_at=NOON - timedelta(days=1),
            policy={"exit_floor_bps": 1_000},
            draft={"limit_micros": 450_000, "usdc_micros": 9_000_000},
            book=a_book(bids=levels(("50", 999)), asks=levels(("51", 9))),
        ),
        "beyond_collar",
    ),
    (
        "self_trade",
        "a sale of the complement, by merging",
        lambda: an_exit_case(
            account=an_account(open={"other": an_open_intent(token_id=NO, side=Side.SELL, price_micros=530_000)})
        ),
        lambda: an_exit_case(
            account=an_account(open={"other": an_open_intent(token_id=NO, side=Side.SELL, price_micros=520_000)})
        ),
        "own_order",
    ),
    (
        "self_trade",
        "a purchase of the same token below it",
        lambda: an_exit_case(account=an_account(open={"other": an_open_intent(price_micros=470_000)})),
        lambda: an_exit_case(account=an_account(open={"other": an_open_intent(price_micros=480_000)})),
        "own_order",
    ),
    (
        "credit",
        "a fee that the proceeds pay",
        lambda: an_exit_case(draft={"fee_micros": 9_600_000}),
        lambda: an_exit_case(draft={"fee_micros": 9_600_001}),
        "fee_above_proceeds",
    ),
]
