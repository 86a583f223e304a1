"""Guards of the market at their bounds."""

from dataclasses import replace
from datetime import timedelta

from services.common.domain.market import TokenProtocol
from tests.builders_case import (
    NOON,
    a_book,
    a_case,
    a_market,
    an_account,
    levels,
)
from tests.guard_rows.row import MS, Row

ROWS: list[Row] = [
    (
        "viability",
        "ends in ten minutes",
        lambda: a_case(market=a_market(ends_at=NOON + timedelta(minutes=10))),
        lambda: a_case(market=a_market(ends_at=NOON + timedelta(minutes=10) - MS)),
        "ends_soon",
    ),
    (
        "viability",
        "a spread of as many ticks as it may have",
        lambda: a_case(
            account=an_account({"max_spread_ticks": 4, "max_collar_bps": 2_000}),
            book=a_book(bids=levels(("46", 99))),
        ),
        lambda: a_case(
            account=an_account({"max_spread_ticks": 3, "max_collar_bps": 2_000}),
            book=a_book(bids=levels(("46", 99))),
        ),
        "wide_spread",
    ),
    *(
        (
            "viability",
            f"a market that is {reason}",
            a_case,
            lambda changes=changes: a_case(market=a_market(**changes)),
            reason,
        )
        for reason, changes in {
            "not_active": {"active": False},
            "not_accepting_orders": {"accepting_orders": False},
            "closed": {"closed": True},
            "resolving": {"uma_status": "proposed"},
            "unknown_protocol": {"protocol": TokenProtocol.UNKNOWN},
        }.items()
    ),
    ("viability", "archived", a_case, lambda: a_case(market=a_market(archived=True)), "closed"),
    ("viability", "without a book", a_case, lambda: a_case(market=a_market(has_book=False)), "not_accepting_orders"),
    ("market_data", "a live feed", a_case, lambda: a_case(book=a_book(live=False)), "feed_down"),
    (
        "market_data",
        "a mid that was seen before",
        lambda: a_case(book=a_book(mid_then_micros=495_000)),
        lambda: a_case(book=replace(a_book(), mid_then_micros=None)),
        "missing",
    ),
    (
        "market_data",
        "mid moved by a fifth in five seconds",
        lambda: a_case(book=a_book(mid_then_micros=618_750)),
        lambda: a_case(book=a_book(mid_then_micros=618_752)),
        "mid_jumped",
    ),
    (
        "market_data",
        "bid below ask",
        lambda: a_case(book=a_book(mid_then_micros=None)),
        lambda: a_case(book=a_book(bids=levels(("50", 99)))),
        "crossed",
    ),
]
