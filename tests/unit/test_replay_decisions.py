"""What a replay decides on histories of a few rows: sizes, exits, two leaders at once, and each modelled fact as an option."""

from datetime import timedelta
from functools import partial

import pytest

from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import CopyKind
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Fee, Side
from services.engine import decider
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from tests.replay_world import DOLLAR, NO, OTHER_LEADER, SHARE, YES, a_redemption, a_row, replay, rows

about = partial(pytest.approx, rel=0.01)
"""Up to the hundredth that whole cents and whole lots may cost."""

NONE_IS_OURS = "nothing_held: none_is_ours"
TOO_SMALL = "sizing: below_minimum"


def test_a_fill_is_bought_at_the_leaders_size_and_paid_at_the_books_price():
    found = replay(rows(a_row(shares=20, price=0.5)))

    (line,) = found.lines
    assert found.decided == ["copied"]
    assert (line.ours.shares_micros, line.ours.usdc_micros) == (20 * SHARE, 10 * DOLLAR)
    assert found.cash_micros == (10_000 - 10) * DOLLAR
    assert found.held() == 20 * SHARE


def test_a_leaders_tenth_sells_a_tenth_of_ours():
    found = replay(rows(a_row(shares=200), a_row("SELL", 20, 60)), policy={"ratio_bps": 5_000})

    assert found.decided == ["copied", "copied"]
    assert found.ours == about([100, 10])
    assert found.held() == about(90 * SHARE)


@pytest.mark.parametrize("sold", [200, 10_000], ids=["all that he bought here", "more than he bought here"])
def test_whoever_sells_all_that_he_was_seen_to_buy_sells_all_of_ours(sold):
    found = replay(rows(a_row(shares=200), a_row("SELL", sold, 60)))

    assert found.ours == about([200, 200])
    assert found.held() < LOT_MICROS


def test_what_the_leader_held_before_the_recording_does_not_make_us_sell_what_we_never_bought():
    found = replay(rows(a_row("SELL", 50), a_row("SELL", 50, asset=NO, outcomeIndex=1, second=5)))

    assert found.decided == [NONE_IS_OURS, NONE_IS_OURS]
    assert found.attempts == () == found.fills


def test_rows_of_one_second_happen_in_the_files_order():
    bought_first = replay(rows(a_row(shares=20), a_row("SELL", 20)))
    sold_first = replay(rows(a_row("SELL", 20), a_row(shares=20)))

    assert bought_first.decided == ["copied", "copied"]
    assert bought_first.held() < LOT_MICROS
    assert sold_first.decided == [NONE_IS_OURS, "copied"]
    assert sold_first.held() == 20 * SHARE


def test_a_sale_too_small_to_sell_is_refused_and_sold_with_the_next():
    found = replay(rows(a_row(shares=100), a_row("SELL", 3, 60), a_row("SELL", 27, 120)))

    assert found.decided == ["copied", TOO_SMALL, "copied"]
    assert found.ours == about([100, 0, 30])


def test_a_rest_smaller_than_the_minimum_is_sold_when_the_leader_keeps_nothing():
    found = replay(rows(a_row(shares=20), a_row("SELL", 17, 60), a_row("SELL", 3, 120)))

    assert found.ours == [20, 17, 3]
    assert found.held() == 0


def test_sales_of_one_second_are_met_together_and_each_gets_its_part():
    found = replay(rows(a_row(shares=100), a_row("SELL", 20, 60), a_row("SELL", 30, 60)))

    assert found.decided == ["copied"] * 3
    assert found.ours == about([100, 20, 30])
    assert found.held() == about(50 * SHARE)


def test_two_leaders_in_one_market_and_second_each_sell_only_what_was_bought_for_him():
    his = {"proxyWallet": OTHER_LEADER}
    found = replay(
        rows(a_row(shares=20), a_row("SELL", 20, 60)), rows(a_row(shares=50, **his), a_row("SELL", 10, 60, **his))
    )

    assert [line.trade.leader for line in found.lines[:2]] == [found.lines[0].trade.leader, OTHER_LEADER]
    assert found.decided == ["copied"] * 4
    assert found.ours == about([20, 50, 20, 10])
    assert found.held() == about(40 * SHARE)


def test_exact_repeats_are_copied_each():
    row = a_row()

    found = replay(rows(row, row, row))

    assert found.ours == [20, 20, 20]
    assert len({copy.intent.order_hash for copy in found.copies if copy.intent}) == 3


def test_a_sale_in_a_market_that_was_redeemed_meanwhile_is_refused_by_viability():
    found = replay(rows(a_row(shares=20), a_row("SELL", 10, 100), a_redemption(100)), delay=timedelta(seconds=5))

    assert found.decided == ["copied", "viability: resolved"]


def test_a_fill_after_a_redemption_shows_that_the_market_was_still_open():
    history = rows(a_row(), a_redemption(60), a_row(second=90), a_redemption(95))

    assert replay(history, delay=timedelta(0)).decided == ["copied", "copied"]


ROW = {"shares": 100, "price": 0.5}
OPTIONS = {
    "the spread": ({"spread_ticks": 11}, "viability: wide_spread"),
    "the depth": ({"depth_micros": SHARE, "levels": 1}, "slippage: no_depth"),
    "the delay": ({"delay": timedelta(seconds=31)}, "trade_time: too_old"),
    "the end": ({"ends_after": timedelta(minutes=10)}, "viability: ends_soon"),
    "the fee": ({"fee": Fee(50_000)}, "fee_bound: fee_too_high"),
    "the minimum": ({"min_size_micros": 101 * SHARE}, TOO_SMALL),
    "the grid": ({"tick_micros": 100_000, "spread_ticks": 5}, "viability: missing"),
}


@pytest.mark.parametrize(("model", "decided"), OPTIONS.values(), ids=OPTIONS)
def test_each_modelled_fact_decides_when_it_is_chosen_so(model, decided):
    assert replay(rows(a_row(**ROW))).decided == ["copied"]
    assert replay(rows(a_row(**ROW)), **model).decided == [decided]


def test_the_books_are_as_the_fills_until_our_turn_have_left_them():
    moving = rows(a_row(price=0.5), a_row(price=0.59, second=1))

    at_once = replay(moving, delay=timedelta(0))
    late = replay(moving, delay=timedelta(seconds=2))

    assert at_once.decided == ["copied", "copied"]
    assert late.decided[0] != "copied"


def test_shares_can_be_sold_only_once_they_are_settled():
    quick = rows(a_row(shares=20), a_row("SELL", 20, 2))
    found = replay(quick, settles_after=timedelta(seconds=60))

    assert found.held() == 0
    bought, sold = (log.block_at for log in found.fills)
    assert (sold - bought).total_seconds() >= 60


def test_the_fee_is_taken_from_the_cash_and_told_apart():
    found = replay(rows(a_row(shares=100), a_row("SELL", 100, 60, price=0.51)), fee=Fee(20_000))

    fees = [line.ours.fee_micros for line in found.lines]
    assert found.decided == ["copied", "copied"]
    assert min(fees) > 0
    moved = found.lines[1].ours.usdc_micros - found.lines[0].ours.usdc_micros - sum(fees)
    assert found.cash_micros == 10_000 * DOLLAR + moved


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"mode": "fixed", "fixed_usdc": 15}, [30, 30]),
        ({"ratio_bps": 2_500}, [10, 25]),
        ({"mode": "proportional", "bankroll_usdc": 1_000, "leader_bankroll_usdc": 2_000}, [20, 50]),
        (
            {
                "mode": "tiered",
                "tiers": [{"from_usdc": 0, "ratio_bps": 10_000}, {"from_usdc": 50, "ratio_bps": 1_000}],
            },
            [40, 10],
        ),
        ({"max_trade_usdc": 25}, [40, 50]),
        ({"max_market_usdc": 35}, [40, 30]),
        ({"max_day_usdc": 35}, [40, 30]),
    ],
)
def test_the_policy_sizes_every_copy(policy, expected):
    assert replay(rows(a_row(shares=40), a_row(shares=100, second=30)), policy=policy).ours == about(expected)


@pytest.mark.parametrize(
    ("limits", "guard"),
    [
        ({"max_order_usdc": 10}, "order_size: too_big"),
        ({"max_leader_day_usdc": 10}, "leader_day: leader_cap"),
        ({"max_daily_spend_usdc": 10}, "daily_spend: spend_cap"),
        ({"max_trade_age_ms": 500}, "trade_time: too_old"),
        ({"max_price": "0.4"}, "price_band: leader_outside"),
    ],
)
def test_the_limits_of_the_policy_file_refuse_by_their_guards(limits, guard):
    assert replay(rows(a_row(shares=40)), limits=limits).decided == [guard]


def test_without_cash_nothing_is_bought():
    more_than_all = rows(a_row(shares=22_000))
    raised = {"max_order_usdc": 50_000, "max_daily_spend_usdc": 50_000}
    found = replay(more_than_all, policy={"max_trade_usdc": 50_000}, limits=raised, depth_micros=10**12)

    assert found.decided == ["account_exposure: capital_threshold"]
    assert found.cash_micros == 10_000 * DOLLAR


def test_it_is_the_engines_own_list_of_guards_that_decides(monkeypatch):
    history = rows(a_row(price=0.99, shares=50))
    assert replay(history).decided == ["price_band: leader_outside"]

    monkeypatch.setattr(decider, "decide", partial(decide, guards=[g for g in GUARDS if g.__name__ != "price_band"]))
    assert "price_band" not in replay(history).decided[0]

    monkeypatch.setattr(decider, "decide", partial(decide, guards=()))
    assert replay(history).decided == ["no_guards: "]


def test_every_order_was_allowed_by_every_guard_and_signed_by_the_account():
    found = replay(rows(a_row(shares=20), a_row("SELL", 10, 60)))
    world = found.ended.world
    sent = [copy for copy in found.copies if copy.intent]

    assert [copy.kind for copy in sent] == [CopyKind.ENTRY, CopyKind.EXIT]
    for copy in sent:
        assert [verdict.guard for verdict in copy.decision.verdicts] == [guard.__name__ for guard in GUARDS]
        assert copy.decision.allowed
        assert copy.intent.fields.signer == world.account.wallet
        assert len(world.seal.opened(copy.copy_id, copy.intent.order_hash, copy.intent.signature)) == 132
        assert copy.state is CopyState.RECONCILED
    assert found.moved(YES, Side.BUY) - found.moved(YES, Side.SELL) == found.held()


def test_what_the_venue_took_and_the_books_lack_is_said(monkeypatch):
    from services.cli.replay import report

    def one_more(logs):
        lines = list(real(logs))
        return [*lines, lines[0] | {"size_micros": 1}]

    real = report.wallet_fills
    assert replay(rows(a_row())).report.summary["problems"] == []
    monkeypatch.setattr(report, "wallet_fills", one_more)

    summary = replay(rows(a_row())).report.summary
    assert summary["lost"] == 1
    assert summary["discrepancies"] > 0
    assert summary["problems"]


def test_a_history_of_years_is_played_as_well():
    year = 365 * 86_400

    found = replay(rows(a_row(), a_row(second=year), a_row("SELL", 40, 3 * year)))

    assert found.decided == ["copied"] * 3
    assert found.held() < 2 * LOT_MICROS
