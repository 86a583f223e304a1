"""Guards of flow, and of meeting oneself, at their bounds."""

from services.common.domain.market import Side
from tests.builders_case import (
    NO,
    NOON,
    a_case,
    an_account,
    an_open_intent,
    seconds,
)
from tests.guard_rows.row import MS, Row, opened

ROWS: list[Row] = [
    (
        "in_flight",
        "ten intents in the market",
        lambda: a_case(account=an_account(**opened(9))),
        lambda: a_case(account=an_account(**opened(10))),
        "market_in_flight",
    ),
    (
        "in_flight",
        "a hundred intents in the account",
        lambda: a_case(account=an_account(**opened(99, condition_id="0xd"))),
        lambda: a_case(account=an_account(**opened(100, condition_id="0xd"))),
        "account_in_flight",
    ),
    (
        "message_rate",
        "twenty in a second",
        lambda: a_case(recent_orders=(NOON - seconds(1) + MS,) * 19 + (NOON - seconds(1),)),
        lambda: a_case(recent_orders=(NOON - seconds(1) + MS,) * 20),
        "per_second",
    ),
    (
        "message_rate",
        "six hundred in a minute",
        lambda: a_case(recent_orders=(NOON - seconds(60) + MS,) * 599 + (NOON - seconds(60),)),
        lambda: a_case(recent_orders=(NOON - seconds(60) + MS,) * 600),
        "per_minute",
    ),
    (
        "message_rate",
        "a fifth of the venue's quota",
        lambda: a_case(account=an_account({"max_orders_per_second": 999}), recent_orders=(NOON,) * 99),
        lambda: a_case(account=an_account({"max_orders_per_second": 999}), recent_orders=(NOON,) * 100),
        "per_second",
    ),
    (
        "repetition",
        "sixty entries",
        lambda: a_case(repetitions=59),
        lambda: a_case(repetitions=60),
        "repeated",
    ),
    (
        "self_trade",
        "an own sale of the same token",
        lambda: a_case(account=an_account(open={"other": an_open_intent(side=Side.SELL, price_micros=510_000)})),
        lambda: a_case(account=an_account(open={"other": an_open_intent(side=Side.SELL, price_micros=500_000)})),
        "own_order",
    ),
    (
        "self_trade",
        "an own purchase of the complement, by minting",
        lambda: a_case(account=an_account(open={"other": an_open_intent(token_id=NO, price_micros=490_000)})),
        lambda: a_case(account=an_account(open={"other": an_open_intent(token_id=NO, price_micros=500_000)})),
        "own_order",
    ),
    (
        "self_trade",
        "one that is a minute past its deadline",
        lambda: a_case(
            account=an_account(
                open={"other": an_open_intent(side=Side.SELL, price_micros=500_000, at=NOON - seconds(75) - MS)}
            )
        ),
        lambda: a_case(
            account=an_account(
                open={"other": an_open_intent(side=Side.SELL, price_micros=500_000, at=NOON - seconds(75))}
            )
        ),
        "own_order",
    ),
    (
        "self_trade",
        "one that has matched",
        lambda: a_case(
            account=an_account(open={"other": an_open_intent(side=Side.SELL, price_micros=500_000, matched=True)})
        ),
        lambda: a_case(account=an_account(open={"other": an_open_intent(side=Side.SELL, price_micros=500_000)})),
        "own_order",
    ),
]
