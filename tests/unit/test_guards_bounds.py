"""Every guard at its bound and one step beyond it; beyond it, that guard alone refuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.domain.account import AccountState, Day
from services.common.domain.follow import FollowState
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.market import Fee, Side, TokenProtocol
from services.engine.case import Case, Funds
from services.engine.guards import GUARDS
from services.engine.pipeline import Approved, Refused, decide
from tests.builders_case import (
    DOLLAR,
    LEADER,
    NO,
    NOON,
    SHARE,
    WALLET,
    YES,
    a_book,
    a_case,
    a_holding,
    a_market,
    an_account,
    an_exit_case,
    an_intent,
    an_open_intent,
    levels,
    seconds,
)

MS = timedelta(milliseconds=1)
TODAY = NOON.date().isoformat()


def follow(case: Case, **changes: Any) -> Case:
    assert case.follow
    return replace(case, follow=replace(case.follow, **changes))


def spent(micros: int, **changes: Any) -> dict[str, Any]:
    return {"days": {TODAY: Day(spent_micros=micros, **changes)}}


def opened(count: int, **changes: Any) -> dict[str, Any]:
    names = [f"o{n}" for n in range(count)]
    return {"open": {name: an_open_intent(copy_id=name, usdc_micros=0, matched=True, **changes) for name in names}}


def low_and_old(ask: int, **changes: Any) -> Case:
    """A trade at 20 cents, as old as one may be, so that fair is mid: two cents and the fee bound are all that may be lost."""
    book = a_book(bids=levels(("14", 1000)), asks=levels((str(ask), 1000)), mid_then_micros=None)
    trade = {"usdc_micros": 20 * DOLLAR, "traded_at": NOON - seconds(30)}
    return a_case(trade=trade, policy={"ratio_bps": 5_000}, book=book, **changes)


# guard, name of the bound, case within it, case one step beyond it, reason
Row = tuple[str, str, Callable[[], Case], Callable[[], Case], str]
ROWS: list[Row] = [
    (
        "trade_time",
        "thirty seconds old",
        lambda: a_case(trade={"traded_at": NOON - seconds(30)}),
        lambda: a_case(trade={"traded_at": NOON - seconds(30) - MS}),
        "too_old",
    ),
    (
        "trade_time",
        "two seconds ahead of the clock",
        lambda: a_case(trade={"traded_at": NOON + seconds(2)}),
        lambda: replace(a_case(), now=NOON, copy=a_case(trade={"traded_at": NOON + seconds(2) + MS}).copy),
        "in_future",
    ),
    (
        "trade_time",
        "made with the follow",
        lambda: follow(a_case(), created_at=NOON - seconds(1)),
        lambda: follow(a_case(), created_at=NOON - seconds(1) + MS),
        "before_follow",
    ),
    (
        "idempotency",
        "the last order is final with nothing filled",
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.REJECTED, Outcome.ACKED)}),
        lambda: a_case(copy={"intent": an_intent(IntentState.OPEN, Outcome.UNKNOWN)}),
        "intent_exists",
    ),
    (
        "idempotency",
        "a final order that filled",
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.ACKED)}),
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.ACKED), "filled_micros": 1}),
        "intent_exists",
    ),
    (
        "idempotency",
        "an answer that is not definitive",
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.NOT_SENT)}),
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.DUPLICATED, Outcome.REJECTED)}),
        "intent_exists",
    ),
    (
        "parties",
        "a follow that takes entries",
        a_case,
        lambda: follow(a_case(), state=FollowState.CLOSING),
        "follow_closed",
    ),
    (
        "parties",
        "an account that takes entries",
        a_case,
        lambda: a_case(account=replace(an_account(), state=AccountState.REDUCING)),
        "account_disabled",
    ),
    (
        "parties",
        "another market is denied",
        lambda: a_case(policy={"denied_markets": ("0xc1",)}),
        lambda: a_case(policy={"denied_markets": ("0xc1", "0xc0")}),
        "market_denied",
    ),
    (
        "parties",
        "the leader is ourselves",
        lambda: a_case(own_wallets=frozenset({WALLET, LEADER[:-1] + "b"})),
        lambda: a_case(own_wallets=frozenset({WALLET, LEADER.upper()})),
        "own_wallet",
    ),
    (
        "viability",
        "ends in ten minutes",
        lambda: a_case(market=a_market(ends_at=NOON + timedelta(minutes=10))),
        lambda: a_case(market=a_market(ends_at=NOON + timedelta(minutes=10) - MS)),
        "ends_soon",
    ),
    (
        "viability",
        "a spread of ten ticks",
        lambda: a_case(book=a_book(bids=levels(("42", 99)), asks=levels(("46", 9), ("52", 99)), mid_then_micros=None)),
        lambda: a_case(
            account=an_account({"max_spread_ticks": 3, "max_collar_bps": 2_000}),
            book=a_book(bids=levels(("46", 99)), mid_then_micros=None),
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
    (
        "price_band",
        "the highest price",
        lambda: a_case(
            trade={"usdc_micros": 98 * DOLLAR},
            book=a_book(bids=levels(("97", 999)), asks=levels(("98", 999)), mid_then_micros=None),
        ),
        lambda: a_case(
            trade={"usdc_micros": 99 * DOLLAR},
            book=a_book(bids=levels(("98", 999)), asks=levels(("99", 999)), mid_then_micros=None),
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
    ("market_data", "a live feed", a_case, lambda: a_case(book=a_book(live=False)), "feed_down"),
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
        lambda: a_case(book=a_book(bids=levels(("50", 99)), mid_then_micros=None)),
        "crossed",
    ),
    (
        "edge",
        "what slippage and the fee bound allow to lose",
        lambda: low_and_old(20, account=an_account({"min_collar_ticks": 4, "max_fee_bps": 1_000})),
        lambda: low_and_old(20, account=an_account({"min_collar_ticks": 4})),
        "no_edge",
    ),
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
            book=a_book(bids=levels(("9", 999)), asks=levels(("10", 999)), mid_then_micros=None),
        ),
        lambda: a_case(
            market=a_market(fee=Fee(10_000)),
            trade={"usdc_micros": 10 * DOLLAR - 1, "shares_micros": 100 * SHARE - 10},
            book=a_book(bids=levels(("9", 999)), asks=levels(("10", 999)), mid_then_micros=None),
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
        lambda: a_case(book=a_book(asks=levels(("50", 5), ("53", 999)), mid_then_micros=None)),
        lambda: a_case(book=a_book(asks=levels(("50", 4), ("53", 999)), mid_then_micros=None)),
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
        "event_exposure",
        "what the event can cost",
        lambda: a_case(
            account=an_account(
                {"max_event_micros": 10 * DOLLAR}, held={"81": a_holding(token_id="81", condition_id="0xd")}
            ),
            marks={"81": 500_000},
        ),
        lambda: a_case(
            account=an_account(
                {"max_event_micros": 10 * DOLLAR},
                held={"81": a_holding(token_id="81", condition_id="0xd", cost_micros=5 * DOLLAR + 1)},
            ),
            marks={"81": 500_000},
        ),
        "event_cap",
    ),
    (
        "leader_day",
        "copied from this leader today",
        lambda: a_case(
            account=an_account({"max_leader_day_micros": 9 * DOLLAR}, **spent(0, leaders={LEADER: 4 * DOLLAR}))
        ),
        lambda: a_case(
            account=an_account(
                {"max_leader_day_micros": 9 * DOLLAR}, **spent(0, leaders={LEADER.upper(): 4 * DOLLAR + 1, "0xb": 9})
            )
        ),
        "leader_cap",
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
    (
        "daily_spend",
        "spent today",
        lambda: a_case(account=an_account({"max_daily_spend_micros": 9 * DOLLAR}, **spent(4 * DOLLAR))),
        lambda: a_case(account=an_account({"max_daily_spend_micros": 9 * DOLLAR}, **spent(4 * DOLLAR + 1))),
        "spend_cap",
    ),
    (
        "daily_loss",
        "realised and marked",
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=199 * DOLLAR)
            ),
            marks={"81": 400_000},
        ),
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=199 * DOLLAR)
            ),
            marks={"81": 399_999},
        ),
        "loss_cap",
    ),
    (
        "daily_loss",
        "a mark that is missing is zero",
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=195 * DOLLAR)
            )
        ),
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=195 * DOLLAR + 1)
            )
        ),
        "loss_cap",
    ),
    (
        "drawdown",
        "fifteen per cent below the best",
        lambda: a_case(account=an_account(high_water_micros=1_176_470_588)),
        lambda: a_case(account=an_account(high_water_micros=1_176_470_589)),
        "too_deep",
    ),
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
        "credit",
        "the balance, less what is in flight",
        lambda: a_case(
            account=an_account({"max_exposure_bps": 10_000}, open={"other": an_open_intent(fee_micros=10)}),
            funds=Funds(9 * DOLLAR + 50_020, 99 * DOLLAR, NOON),
        ),
        lambda: a_case(
            account=an_account({"max_exposure_bps": 10_000}, open={"other": an_open_intent(fee_micros=11)}),
            funds=Funds(9 * DOLLAR + 50_020, 99 * DOLLAR, NOON),
        ),
        "balance_short",
    ),
    (
        "credit",
        "the allowance",
        lambda: a_case(funds=Funds(99 * DOLLAR, 5 * DOLLAR + 50_010, NOON)),
        lambda: a_case(funds=Funds(99 * DOLLAR, 5 * DOLLAR + 50_009, NOON)),
        "allowance_short",
    ),
    (
        "credit",
        "a balance five seconds old",
        lambda: a_case(funds=Funds(99 * DOLLAR, 99 * DOLLAR, NOON - seconds(5))),
        lambda: a_case(funds=Funds(99 * DOLLAR, 99 * DOLLAR, NOON - seconds(5) - MS)),
        "balance_too_old",
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
    (
        "fee_bound",
        "two per cent of the notional",
        lambda: a_case(market=a_market(fee=Fee(39_990))),
        lambda: a_case(market=a_market(fee=Fee(40_000))),
        "fee_too_high",
    ),
    (
        "deadline",
        "five seconds left",
        lambda: a_case(deadline_at=NOON + seconds(5)),
        lambda: a_case(deadline_at=NOON + seconds(5) - MS),
        "too_late",
    ),
    (
        "deadline",
        "fifteen seconds away",
        lambda: a_case(deadline_at=NOON + seconds(15)),
        lambda: a_case(deadline_at=NOON + seconds(15) + MS),
        "too_far",
    ),
    # exits
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
            book=a_book(bids=levels(("50", 999)), asks=levels(("51", 9)), mid_then_micros=None),
        ),
        lambda: an_exit_case(
            exit_opened_at=NOON - timedelta(days=1),
            policy={"exit_floor_bps": 1_000},
            draft={"limit_micros": 450_000, "usdc_micros": 9_000_000},
            book=a_book(bids=levels(("50", 999)), asks=levels(("51", 9)), mid_then_micros=None),
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
        "credit",
        "a fee that the proceeds pay",
        lambda: an_exit_case(draft={"fee_micros": 9_600_000}),
        lambda: an_exit_case(draft={"fee_micros": 9_600_001}),
        "fee_above_proceeds",
    ),
]
IDS = [f"{guard}: {bound}" for guard, bound, *_ in ROWS]


@pytest.mark.parametrize(("guard", "bound", "within", "beyond", "reason"), ROWS, ids=IDS)
def test_at_the_bound_a_copy_passes(guard, bound, within, beyond, reason):
    outcome = decide(within())

    assert isinstance(outcome, Approved), outcome.decision.refusals


@pytest.mark.parametrize(("guard", "bound", "within", "beyond", "reason"), ROWS, ids=IDS)
def test_one_step_beyond_the_bound_that_guard_alone_refuses(guard, bound, within, beyond, reason):
    outcome = decide(beyond())

    assert isinstance(outcome, Refused)
    assert [(verdict.guard, verdict.reason) for verdict in outcome.decision.refusals] == [(guard, reason)]
    assert outcome.skip_reason == guard


@pytest.mark.parametrize("removed", GUARDS, ids=lambda guard: guard.__name__)
def test_without_a_guard_something_passes_that_must_not(removed):
    rest = [guard for guard in GUARDS if guard is not removed]

    freed = [guard for guard, _, _, beyond, _ in ROWS if isinstance(decide(beyond(), rest), Approved)]

    assert set(freed) == {removed.__name__}


@pytest.mark.parametrize(("guard", "bound", "within", "beyond", "reason"), ROWS, ids=IDS)
def test_a_refusal_says_what_would_have_had_to_differ(guard, bound, within, beyond, reason):
    (refusal,) = decide(beyond()).decision.refusals

    assert refusal.observed
    assert refusal.limit
    assert all(isinstance(figure, str) for figure in (*refusal.observed.values(), *refusal.limit.values()))
