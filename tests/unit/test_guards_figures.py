"""Figures that guards compute on the way to their answer, where a bound alone does not show them."""

from dataclasses import replace

import pytest

from services.common.domain.account import Day
from services.common.domain.market import Level, Side
from services.engine.case import Funds
from services.engine.guards.answer import allow, missing
from services.engine.guards.exposure import account_exposure
from services.engine.guards.flow import message_rate
from services.engine.guards.identity import parties
from services.engine.guards.losses import daily_loss, drawdown
from services.engine.guards.price import edge, price_collar, slippage
from services.engine.guards.size import sizing, venue_validity
from services.engine.guards.viability import market_data, viability
from services.engine.guards.wallet import credit, self_trade
from tests.builders_case import (
    DOLLAR,
    MAKER,
    NO,
    NOON,
    WALLET,
    YES,
    a_book,
    a_case,
    a_holding,
    a_market,
    an_account,
    an_exit_case,
    an_open_intent,
    levels,
    seconds,
)
from tests.guard_rows.row import MS, TODAY


@pytest.mark.parametrize(
    ("age_ms", "most_ms", "fair"),
    [
        (0, 30_000, "0.5"),
        (1, 30_000, "0.499999"),
        (15_000, 30_000, "0.4975"),
        (30_000, 30_000, "0.495"),
        (60_000, 30_000, "0.495"),
        (-2_000, 30_000, "0.5"),
        (0, 0, "0.5"),
        (1, 0, "0.495"),
    ],
    ids=[
        "just now",
        "a moment ago",
        "half as old as may be",
        "as old as may be",
        "older",
        "ahead of the clock",
        "no age may be, and none is",
        "no age may be",
    ],
)
def test_what_is_fair_decays_from_the_leaders_price_to_mid(age_ms, most_ms, fair):
    case = a_case(trade={"traded_at": NOON - age_ms * MS}, account=an_account({"max_trade_age_ms": most_ms}))

    assert edge(case).observed["fair"] == fair


@pytest.mark.parametrize(("fee", "ok"), [(298_330, True), (298_331, False)])
def test_what_may_be_lost_may_be_lost_whole(fee, ok):
    verdict = edge(a_case(draft={"fee_micros": fee}))

    assert (verdict.ok, verdict.limit) == (ok, {"edge": "-0.3"})


def test_an_order_of_nothing_loses_nothing_and_needs_depth_all_the_same():
    nothing = a_case(draft={"usdc_micros": 0})

    assert edge(nothing) == allow({"edge": "0"}, {}, 1_000)
    assert slippage(nothing).limit["depth"] == "0.000001"
    assert slippage(an_exit_case()).limit["depth"] == "0.000001"


def test_a_book_that_gives_no_share_has_no_average():
    dust = a_book(asks=(Level(500_000, 1),), mid_then_micros=495_000)

    assert edge(a_case(draft={"usdc_micros": 5_000_000}, book=dust)) == missing("vwap")


@pytest.mark.parametrize(
    ("draft", "tick", "reason", "grid"),
    [
        ({"limit_micros": 500_000}, 10_000, "", ("0.5", "10")),
        ({"limit_micros": 505_000, "usdc_micros": 5_050_000}, 10_000, "price_off_tick", ("0.5", "10")),
        ({"limit_micros": 505_001, "usdc_micros": 5_050_010}, 10_000, "price_off_tick", ("0.51", "10")),
        ({"limit_micros": 9_000, "usdc_micros": 90_000}, 10_000, "price_out_of_range", ("0.01", "10")),
        ({"limit_micros": 4_000, "usdc_micros": 40_000}, 10_000, "price_out_of_range", ("0.01", "10")),
        ({"limit_micros": 999_000, "usdc_micros": 9_990_000}, 10_000, "price_out_of_range", ("0.99", "10")),
        ({"shares_micros": 10_005_000, "usdc_micros": 5_002_500}, 10_000, "size_off_lot", ("0.5", "10")),
        ({"shares_micros": 10_010_000, "usdc_micros": 5_005_000}, 10_000, "sum_off_cent", ("0.5", "10")),
        ({"shares_micros": 10_010_001, "usdc_micros": 5_005_000}, 10_000, "size_off_lot", ("0.5", "10.02")),
        ({"shares_micros": 0, "usdc_micros": 0}, 10_000, "size_off_lot", ("0.5", "0.02")),
        ({"limit_micros": 500_001, "usdc_micros": 5_000_010}, 0, "unknown_tick", ("0.500001", "10000")),
    ],
    ids=[
        "on every grid",
        "between two ticks",
        "nearer to the upper tick",
        "below the lowest price",
        "far below the lowest price",
        "above the highest price",
        "no whole hundredth of a share",
        "no whole cents",
        "nearer to more shares",
        "nothing",
        "a market without a tick",
    ],
)
def test_what_is_off_a_grid_is_told_what_is_nearest_on_it(draft, tick, reason, grid):
    verdict = venue_validity(replace(a_case(draft=draft), market=a_market(tick_micros=tick)))

    assert (verdict.reason, verdict.limit["grid_price"], verdict.limit["grid_shares"]) == (reason, *grid)


def test_a_sale_is_on_the_grid_of_sales():
    verdict = venue_validity(an_exit_case(draft={"shares_micros": 10_010_000, "usdc_micros": 4_804_800}))

    assert (verdict.reason, verdict.limit["grid_shares"]) == ("", "10.01")


def funds(balance: int = 99 * DOLLAR, allowance: int = 99 * DOLLAR, read_at=NOON) -> Funds:
    return Funds(balance, allowance, read_at)


@pytest.mark.parametrize(
    ("guard", "case", "reason"),
    [
        (account_exposure, a_case(funds=funds(0)), "capital_threshold"),
        (account_exposure, a_case(funds=funds(-1)), "missing"),
        (drawdown, a_case(funds=funds(0), account=an_account(high_water_micros=1)), "too_deep"),
        (drawdown, a_case(funds=funds(0)), ""),
        (drawdown, a_case(funds=funds(-1)), "missing"),
        (credit, a_case(funds=funds(0)), "balance_short"),
        (credit, a_case(funds=funds(-1)), "missing"),
        (credit, a_case(funds=funds(allowance=0)), "allowance_short"),
        (credit, a_case(funds=funds(allowance=-1)), "missing"),
        (credit, a_case(funds=funds(read_at=NOON + seconds(2))), ""),
        (credit, a_case(funds=funds(read_at=NOON + seconds(2) + MS)), "balance_too_old"),
        (daily_loss, a_case(account=an_account({"max_daily_loss_micros": 0})), ""),
        (
            daily_loss,
            a_case(account=an_account({"max_daily_loss_micros": 0}, days={TODAY: Day(lost_micros=1)})),
            "loss_cap",
        ),
        (sizing, a_case(draft={"limit_micros": 1}), "not_the_policys"),
        (sizing, a_case(policy={"max_trade_micros": 5 * DOLLAR}), ""),
        (sizing, a_case(policy={"max_trade_micros": 5 * DOLLAR}, draft={"usdc_micros": 5 * DOLLAR + 1}), "above_cap"),
        (slippage, an_exit_case(draft={"limit_micros": 471_250}), ""),
        (slippage, an_exit_case(draft={"limit_micros": 471_249}), "beyond_bound"),
        (price_collar, a_case(draft={"limit_micros": 525_000}), ""),
        (price_collar, a_case(draft={"limit_micros": 525_001}), "beyond_collar"),
        (price_collar, an_exit_case(draft={"limit_micros": 247_500}), ""),
        (price_collar, an_exit_case(draft={"limit_micros": 247_499}), "beyond_collar"),
    ],
)
def test_nothing_is_a_figure_and_a_bound_is_within(guard, case, reason):
    assert guard(case).reason == reason


def test_a_cap_on_losses_below_zero_is_none():
    assert daily_loss(a_case(account=an_account({"max_daily_loss_micros": -1}))) == missing("loss_usdc")


def test_no_room_is_never_less_than_none():
    full = a_case(policy={"max_market_micros": 4 * DOLLAR}, account=an_account(held={YES: a_holding()}))

    assert sizing(full).limit["most_usdc"] == "0"


@pytest.mark.parametrize(
    ("market", "policy", "unknown"),
    [
        (None, {}, ""),
        (None, {"denied_markets": ("0xd",)}, "market"),
        (None, {"denied_tags": ("sports",)}, "market"),
        (a_market(tags=None), {"denied_markets": ("0xd",)}, ""),
        (a_market(tags=None), {"denied_tags": ("sports",)}, "tags"),
    ],
)
def test_only_what_is_denied_somewhere_has_to_be_known(market, policy, unknown):
    verdict = parties(a_case(market=market, policy=policy))

    assert verdict.observed.get("missing", "") == unknown
    assert unknown or verdict.observed["market"] == (market.condition_id if market else "")


def test_everything_that_is_denied_is_named():
    verdict = parties(
        a_case(
            market=a_market(tags=("weather", "rain", "sun")),
            policy={"denied_tags": ("weather", "rain")},
            trade={"counterparties": (WALLET, MAKER)},
            own_wallets=frozenset({WALLET, MAKER}),
        )
    )

    assert verdict.observed["denied_tags"] == "rain weather"
    assert verdict.observed["own_counterparties"] == f"{WALLET} {MAKER}"


@pytest.mark.parametrize("mid_then", [None, 495_000])
def test_a_book_with_one_side_has_neither_mid_nor_jump(mid_then):
    book = replace(a_book(bids=levels(("49", 9)), asks=()), mid_then_micros=mid_then)

    verdict = market_data(an_exit_case(book=book))

    assert verdict.ok
    assert (verdict.observed["bid"], verdict.observed["ask"], verdict.observed["jump"]) == ("0.49", "none", "none")
    assert (verdict.limit["bid"], verdict.limit["jump"]) == ("none", "none")


@pytest.mark.parametrize(
    ("token", "side", "price", "meets"),
    [
        (YES, Side.SELL, 500_000, True),
        (YES, Side.SELL, 500_001, False),
        (YES, Side.BUY, 500_000, False),
        (NO, Side.BUY, 500_000, True),
        (NO, Side.BUY, 499_999, False),
        (NO, Side.SELL, 500_000, False),
        ("73", Side.SELL, 500_000, False),
        ("73", Side.BUY, 500_000, False),
    ],
)
def test_a_purchase_meets_a_sale_of_its_token_and_a_purchase_of_the_other(token, side, price, meets):
    other = an_open_intent(token_id=token, side=side, price_micros=price)

    assert self_trade(a_case(account=an_account(open={"other": other}))).ok is not meets


@pytest.mark.parametrize(
    ("token", "side", "price", "meets"),
    [
        (YES, Side.BUY, 480_000, True),
        (YES, Side.BUY, 479_999, False),
        (YES, Side.SELL, 480_000, False),
        (NO, Side.SELL, 520_000, True),
        (NO, Side.SELL, 520_001, False),
        (NO, Side.BUY, 520_000, False),
        ("73", Side.BUY, 480_000, False),
        ("73", Side.SELL, 480_000, False),
    ],
)
def test_a_sale_meets_a_purchase_of_its_token_and_a_sale_of_the_other(token, side, price, meets):
    other = an_open_intent(token_id=token, side=side, price_micros=price)

    assert self_trade(an_exit_case(account=an_account(open={"other": other}))).ok is not meets


@pytest.mark.parametrize(
    ("second", "minute", "most"), [(100, 2_400, ("100", "2400")), (101, 2_401, ("100", "2400")), (99, 99, ("99", "99"))]
)
def test_no_account_has_more_than_a_fifth_of_the_venues_quota(second, minute, most):
    account = an_account({"max_orders_per_second": second, "max_orders_per_minute": minute})
    crowded = (NOON,) * int(most[0])

    assert message_rate(a_case(account=account)).limit == {"orders_per_minute": most[1]}
    assert message_rate(a_case(account=account, recent_orders=crowded)).limit == {"orders_per_second": most[0]}


def test_a_token_that_the_market_does_not_have_is_unknown():
    verdict = viability(a_case(trade={"token_id": "73"}))

    assert (verdict.reason, verdict.observed["token"], verdict.limit["token"]) == ("unknown_token", "unknown", "known")
