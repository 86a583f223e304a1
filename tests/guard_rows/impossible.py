"""Facts that no account, market or book can have, and the guard that refuses each."""

from collections.abc import Callable

from services.common.domain.market import Level
from services.engine.case import Case, Funds
from tests.builders_case import (
    DOLLAR,
    NO,
    NOON,
    SHARE,
    YES,
    a_book,
    a_case,
    a_holding,
    a_market,
    an_account,
    an_exit_case,
    seconds,
)

IMPOSSIBLE: list[tuple[str, Callable[[], Case], str]] = [
    ("a market without an end", lambda: a_case(market=a_market(ends_at=None)), "viability"),
    ("nothing is offered", lambda: a_case(book=a_book(asks=())), "viability"),
    ("nothing is bid", lambda: a_case(book=a_book(bids=())), "price_collar"),
    ("the book of another token", lambda: a_case(book=a_book(token_id=NO)), "market_data"),
    ("a size below zero", lambda: a_case(book=a_book(asks=(Level(500_000, -1),))), "market_data"),
    ("an ask of a dollar", lambda: a_case(book=a_book(asks=(Level(1_000_000, 1),))), "market_data"),
    ("a balance below zero", lambda: a_case(funds=Funds(-1, 9, NOON)), "credit"),
    ("a balance of the future", lambda: a_case(funds=Funds(9 * DOLLAR, 9 * DOLLAR, NOON + seconds(3))), "credit"),
    ("repetitions below zero", lambda: a_case(repetitions=-1), "repetition"),
    ("a limit below zero", lambda: a_case(account=an_account({"max_order_micros": -1})), "order_size"),
    ("a best below zero", lambda: a_case(account=an_account(high_water_micros=-1)), "drawdown"),
    ("a fee below zero", lambda: a_case(draft={"fee_micros": -1}), "fee_bound"),
    ("a price of zero", lambda: a_case(draft={"limit_micros": 0}), "sizing"),
    ("shares below zero", lambda: a_case(draft={"shares_micros": -5 * SHARE}), "venue_validity"),
    ("a balance that is no number", lambda: a_case(funds=Funds(float("nan"), 9, NOON)), "account_exposure"),  # type: ignore[arg-type]
    ("repetitions that are no number", lambda: a_case(repetitions=float("nan")), "repetition"),
    (
        "a mark that is no number",
        lambda: a_case(marks={YES: float("nan")}, account=an_account(held={YES: a_holding()})),
        "daily_loss",
    ),
    ("a trade of nothing", lambda: a_case(trade={"shares_micros": 0}), "sizing"),
    ("a tick that no market has", lambda: a_case(market=a_market(tick_micros=3)), "sizing"),
    ("shares of others that are not known", lambda: an_exit_case(others_micros=None), "position"),
    ("settled shares that are not known", lambda: an_exit_case(settled_micros=None), "position"),
    ("an exit without a book", lambda: an_exit_case(book=None), "viability"),
]
