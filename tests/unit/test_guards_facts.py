"""What guards do with facts that are missing or impossible, and with exits."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from services.common.domain.account import Limits
from services.common.domain.exit import Place, Step
from services.engine.case import Case
from services.engine.guards import GUARDS
from services.engine.pipeline import Approved, Refused, decide
from tests.builders_case import (
    NOON,
    SHARE,
    a_book,
    a_case,
    an_account,
    an_exit_case,
    an_open_intent,
    levels,
)
from tests.guard_rows.impossible import IMPOSSIBLE

ORDER = [
    "trade_time",
    "idempotency",
    "parties",
    "viability",
    "price_band",
    "market_data",
    "edge",
    "position",
    "sizing",
    "venue_validity",
    "slippage",
    "price_collar",
    "order_size",
    "event_exposure",
    "leader_day",
    "account_exposure",
    "daily_spend",
    "daily_loss",
    "drawdown",
    "in_flight",
    "message_rate",
    "repetition",
    "credit",
    "self_trade",
    "fee_bound",
    "deadline",
]
JUDGES_EXITS = [
    "idempotency",
    "viability",
    "market_data",
    "position",
    "sizing",
    "venue_validity",
    "slippage",
    "price_collar",
    "message_rate",
    "credit",
    "self_trade",
    "deadline",
]


def refusals(case: Case) -> dict[str, str]:
    return {verdict.guard: verdict.reason for verdict in decide(case).decision.refusals}


def test_guards_stand_in_the_order_that_names_a_skip():
    assert [guard.__name__ for guard in GUARDS] == ORDER


@pytest.mark.parametrize(
    ("fact", "guard"),
    [
        ("follow", "trade_time"),
        ("market", "viability"),
        ("book", "market_data"),
        ("funds", "credit"),
        ("recent_orders", "message_rate"),
        ("repetitions", "repetition"),
        ("own_wallets", "parties"),
        ("marks", "daily_loss"),
        ("deadline_at", "deadline"),
        ("draft", "sizing"),
    ],
)
def test_a_fact_that_is_missing_refuses(fact, guard):
    assert refusals(replace(a_case(), **{fact: None}))[guard] == "missing"


def test_every_fact_that_may_be_unknown_refuses_an_entry_or_an_exit():
    unknown = {field.name for field in fields(Case) if field.default is None}

    let_pass = {
        fact
        for fact in unknown
        if all(isinstance(decide(replace(case, **{fact: None})), Approved) for case in (a_case(), an_exit_case()))
    }

    assert let_pass == {"exit_opened_at"}


def test_an_exit_of_unknown_age_is_held_to_its_narrowest_bound():
    aged = an_exit_case(exit_opened_at=NOON - timedelta(minutes=5))

    assert aged.draft
    assert refusals(replace(aged, exit_opened_at=None)) == {"slippage": "beyond_bound"}


@pytest.mark.parametrize(("name", "case", "guard"), IMPOSSIBLE, ids=[name for name, *_ in IMPOSSIBLE])
def test_an_impossible_figure_refuses(name, case, guard):
    assert guard in refusals(case())


def test_limits_on_entries_never_trap_a_position():
    nothing = {field.name: 0 for field in fields(Limits)}
    kept = {
        "max_mid_jump_bps",
        "max_orders_per_second",
        "max_orders_per_minute",
        "intent_lifetime_ms",
        "send_budget_ms",
    }
    shut = an_account({name: limit for name, limit in nothing.items() if name not in kept}, high_water_micros=10**15)

    outcome = decide(
        an_exit_case(account=shut, follow=None, own_wallets=None, funds=None, marks=None, repetitions=None)
    )

    assert isinstance(outcome, Approved), outcome.decision.refusals


def test_what_else_is_asked_of_entries_is_asked_of_exits_too():
    passed_unasked = {v.guard for v in decide(an_exit_case()).decision.verdicts if v.observed.get("kind") == "exit"}

    assert [name for name in ORDER if name not in passed_unasked] == JUDGES_EXITS


def test_an_exit_may_be_sold_where_nothing_is_offered():
    outcome = decide(an_exit_case(book=a_book(asks=(), bids=levels(("49", 99)))))

    assert isinstance(outcome, Approved)


def test_a_copys_own_intent_never_counts_against_it():
    own = an_open_intent(copy_id="copy-1", usdc_micros=10**12, side=an_exit_case().side, price_micros=1)

    assert isinstance(decide(a_case(account=an_account(open={"copy-1": own}))), Approved)


def test_the_reason_is_the_first_refusal_in_order():
    outcome = decide(a_case(repetitions=60, deadline_at=NOON, book=a_book(live=False)))

    assert isinstance(outcome, Refused)
    assert outcome.skip_reason == "market_data"
    assert [verdict.guard for verdict in outcome.decision.refusals] == ["market_data", "repetition", "deadline"]


def test_a_copy_too_small_for_any_order_is_refused_for_its_size():
    outcome = decide(a_case(trade={"usdc_micros": 10_000, "shares_micros": 20_000}))

    assert isinstance(outcome, Refused)
    refused = outcome.decision.refusals[0]
    assert (refused.guard, refused.reason) == ("sizing", "below_minimum")


@pytest.mark.parametrize(
    ("given", "reason"), [(51, "voided_by_exit"), (50, "")], ids=["too small after it", "still an order"]
)
def test_a_buy_that_an_exit_overtook_says_so_where_too_little_is_left_of_it(given, reason):
    trade = a_case().trade
    step = Step("s", Place(trade.block_number + 1, 0), given * SHARE, 100 * SHARE)

    outcome = decide(a_case(steps=(step,)))

    found = {verdict.guard: verdict.reason for verdict in outcome.decision.refusals}
    assert found.get("sizing", "") == reason
