"""The choke point: all guards are asked, nothing passes a limit, and a decision can be made again from its own record."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from services.common.domain.account import AccountState, Day
from services.common.domain.exit import Place, Step
from services.common.domain.follow import SizingMode, Tier
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import Actor
from services.common.domain.market import Level, Side
from services.common.domain.trail import lengthened
from services.common.domain.verdict import Verdict
from services.engine.case import Case, Funds
from services.engine.decision_record import read_case, write_case
from services.engine.guards import GUARDS
from services.engine.pipeline import Approved, Refused, decide
from tests.builders_case import (
    CONDITION,
    DOLLAR,
    LEADER,
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
    an_intent,
    an_open_intent,
    levels,
    seconds,
)

TODAY = NOON.date().isoformat()
BUSY = (HealthCheck.too_slow,)
"""Making a case takes long where others want the machine too."""


def test_a_copy_that_every_guard_allows_is_approved_with_its_whole_report():
    case = a_case()

    outcome = decide(case)

    assert isinstance(outcome, Approved)
    assert (outcome.case, outcome.draft) == (case, case.draft)
    assert [verdict.guard for verdict in outcome.decision.verdicts] == [guard.__name__ for guard in GUARDS]
    assert (outcome.decision.at, outcome.decision.account_seq) == (NOON, 7)
    assert outcome.decision.case == write_case(case)
    assert (outcome.decision.market, decide(replace(case, market=None)).decision.market) == (CONDITION, "")


def test_an_empty_list_of_guards_refuses():
    outcome = decide(a_case(), ())

    assert isinstance(outcome, Refused)
    assert outcome.skip_reason == "no_guards"


def test_a_guard_that_breaks_has_not_allowed_anything():
    def broken(case: Case) -> Verdict:
        raise ZeroDivisionError

    outcome = decide(a_case(), (*GUARDS, broken))

    assert isinstance(outcome, Refused)
    assert outcome.decision.refusals == (Verdict("broken", False, "error", {"error": "ZeroDivisionError"}),)


def test_every_guard_is_asked_even_after_a_refusal():
    asked: list[str] = []

    def asks(name: str, ok: bool):
        def guard(case: Case) -> Verdict:
            asked.append(name)
            return Verdict(name, ok)

        guard.__name__ = name
        return guard

    outcome = decide(a_case(), [asks("first", False), asks("second", True), asks("third", False)])

    assert asked == ["first", "second", "third"]
    assert isinstance(outcome, Refused)
    assert outcome.skip_reason == "first"


def test_nothing_is_approved_without_an_order():
    def allows(case: Case) -> Verdict:
        return Verdict("allows", True)

    case = a_case(drafts=False)

    outcome = decide(case, [allows])

    assert isinstance(outcome, Refused)
    assert (outcome.case, outcome.skip_reason) == (case, "draft")
    assert outcome.decision.verdicts == (
        Verdict("allows", True),
        Verdict("draft", False, "missing", {"missing": "draft"}),
    )


def test_a_verdict_bears_the_name_of_its_guard():
    def someone(case: Case) -> Verdict:
        return Verdict("someone_else", True)

    assert decide(a_case(), [someone]).decision.verdicts == (Verdict("someone", True),)


def test_a_guard_that_has_no_name_is_called_what_it_prints():
    nameless = partial(Verdict, ok=True)

    assert decide(a_case(), [lambda case: nameless("x")]).decision.verdicts == (Verdict("<lambda>", True),)
    assert decide(a_case(), [nameless]).decision.verdicts == (Verdict(repr(nameless), True),)


small = st.integers(0, 6).map(lambda dollars: dollars * DOLLAR)
amount = st.integers(0, 40).map(lambda dollars: dollars * DOLLAR)
opening = st.none() | st.integers(-6, 6).map(lambda dollars: dollars * DOLLAR)
price = st.integers(4, 97)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Copies near their limits: small limits, books around the leader's price, something already at risk."""
    cents, shares = draw(price), draw(st.integers(50, 4_000))
    asks = draw(
        st.lists(st.tuples(st.integers(cents, min(cents + 3, 99)), st.integers(1, 400)), min_size=1, max_size=4)
    )
    bids = draw(st.lists(st.tuples(st.integers(cents - 3, cents - 1), st.integers(1, 400)), min_size=1, max_size=4))
    sells = draw(st.booleans())
    limits = {
        name: draw(st.sampled_from([9 * DOLLAR, 90 * DOLLAR, 900 * DOLLAR, 900 * DOLLAR]))
        for name in ("max_market_micros", "max_order_micros", "max_event_micros", "max_leader_day_micros")
    }
    limits |= {"max_daily_spend_micros": draw(amount) + 30 * DOLLAR, "max_spread_ticks": draw(st.integers(3, 9))}
    limits["max_daily_loss_micros"] = draw(st.sampled_from([30 * DOLLAR, 200 * DOLLAR]))
    account = an_account(
        limits,
        open={
            "other": an_open_intent(
                token_id=draw(st.sampled_from([YES, NO])), usdc_micros=draw(small), price_micros=30_000
            )
        },
        held={YES: a_holding(cost_micros=draw(small), shares_micros=60 * SHARE)},
        days={TODAY: Day(draw(amount), {LEADER: draw(small)}, draw(amount), draw(opening))},
    )
    facts = {
        "trade": {"shares_micros": shares * 100_000, "usdc_micros": shares * cents * 1_000},
        "policy": {
            "ratio_bps": draw(st.sampled_from([500, 3_000, 10_000])),
            "raise_to_minimum": draw(st.booleans()),
            "slippage_bps": draw(st.sampled_from([0, 300, 2_000])),
        },
        "market": a_market(tick_micros=draw(st.sampled_from([10_000, 1_000]))),
        "book": a_book(
            asks=levels(*((str(p), s) for p, s in sorted(asks))),
            bids=levels(*((str(p), s) for p, s in sorted(bids, reverse=True))),
        ),
        "account": account,
        "funds": Funds(draw(st.sampled_from([30, 300, 3_000])) * DOLLAR, 9_999 * DOLLAR, NOON),
        "marks": {YES: cents * 10_000},
        "settled_micros": draw(st.integers(0, 60)) * SHARE,
        "others_micros": draw(st.integers(0, 9)) * SHARE,
    }
    return an_exit_case(owed=draw(st.integers(10_000, 40_000_000)), **facts) if sells else a_case(**facts)


def test_the_cases_at_random_are_neither_all_approved_nor_all_refused():
    seen: set[tuple[type, Side]] = set()

    @settings(max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=BUSY)
    @given(cases())
    def look(case: Case) -> None:
        seen.add((type(decide(case)), case.side))

    look()

    assert seen == {(kind, side) for kind in (Approved, Refused) for side in Side}


@settings(max_examples=250, deadline=None, suppress_health_check=BUSY)
@given(cases())
def test_whatever_is_approved_is_within_every_limit(case):
    outcome = decide(case)
    event(f"{type(outcome).__name__} {case.side}")
    if isinstance(outcome, Refused):
        return

    draft, limits, day = outcome.draft, case.account.limits, case.account.exposure.days[TODAY]
    (other,), (held,) = case.account.exposure.open.values(), case.account.exposure.held.values()
    assert draft.usdc_micros * 1_000_000 == draft.shares_micros * draft.limit_micros
    if case.side is Side.SELL:
        assert draft.shares_micros <= min(case.copy.owed_micros, case.settled_micros - case.others_micros)
        assert draft.limit_micros >= case.trade.price_micros * 93 // 100 - 2 * case.market.tick_micros
        return
    at_risk = other.usdc_micros + held.cost_micros + draft.usdc_micros
    assert draft.shares_micros >= 5 * SHARE
    assert draft.usdc_micros >= DOLLAR
    assert draft.usdc_micros <= limits.max_order_micros
    assert at_risk <= limits.max_market_micros
    # Where YES pays nothing, NO pays: an order for it then costs nothing.
    assert at_risk - (other.usdc_micros if other.token_id == NO else 0) <= limits.max_event_micros
    assert day.leaders[LEADER] + draft.usdc_micros <= limits.max_leader_day_micros
    assert day.spent_micros + draft.usdc_micros <= limits.max_daily_spend_micros
    marked = held.shares_micros * case.marks[YES] // 1_000_000
    assert day.lost_micros + held.cost_micros - marked - (day.opening_micros or 0) <= limits.max_daily_loss_micros
    assert other.usdc_micros + draft.usdc_micros + draft.fee_micros <= case.funds.balance_micros
    assert 2 * at_risk <= case.funds.balance_micros + marked
    assert draft.limit_micros <= case.trade.price_micros + max(
        2 * case.market.tick_micros, case.trade.price_micros * case.policy.slippage_bps // 10_000
    )
    assert draft.fee_micros * 50 <= draft.usdc_micros


@settings(max_examples=250, deadline=None, suppress_health_check=BUSY)
@given(cases())
def test_a_decision_made_again_from_its_own_record_is_the_same(case):
    decision = decide(case).decision

    again = decide(read_case(json.loads(json.dumps(decision.case)))).decision

    assert again.verdicts == decision.verdicts
    assert again.case == decision.case


def a_full_case() -> Case:
    """A case with something in every field."""
    return a_case(
        copy={"intent": an_intent(IntentState.FINAL, Outcome.REJECTED), "outcome": "Yes", "last_retry_at": NOON},
        policy={"mode": SizingMode.TIERED, "tiers": (Tier(0, 1_000),), "denied_markets": ("0xd",)},
        account=replace(
            an_account(
                open={"other": an_open_intent()}, held={YES: a_holding()}, days={TODAY: Day(1, {LEADER: 1}, 2, -3)}
            ),
            state=AccountState.ACTIVE,
        ),
        marks={YES: 500_000},
        recent_orders=(NOON - seconds(3), NOON - timedelta(microseconds=1)),
        steps=(Step("s", Place(1, 2), 3, 4),),
        exit_opened_at=NOON,
    )


def test_every_field_of_a_case_survives_its_record():
    case = a_full_case()
    trimmed = replace(case, book=read_case(write_case(case)).book)

    assert read_case(json.loads(json.dumps(write_case(case)))) == trimmed


def test_a_record_is_plain_data():
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, bool)

    assert plain(write_case(a_full_case()))


def test_a_record_keeps_of_the_book_what_the_order_would_have_touched():
    deep = tuple(Level(500_000 + 10_000 * n, 6 * SHARE) for n in range(40))

    kept = write_case(a_case(book=a_book(asks=deep)))["book"]

    assert [level["price_micros"] for level in kept["asks"]] == [500_000, 510_000]


def test_a_record_never_holds_the_decision_before_it():
    copy = a_case().copy
    decided = replace(
        copy, decision=decide(a_case()).decision, trail=(*lengthened((), NOON, Actor.ENGINE, "x", 1, ""),)
    )

    kept = write_case(replace(a_case(), copy=decided))["copy"]

    assert (kept["decision"], kept["trail"]) == (None, [])


@pytest.mark.parametrize("field", ["now", "copy", "account"])
def test_a_record_that_lacks_a_field_is_no_case(field):
    record = write_case(a_case())
    del record[field]

    with pytest.raises(TypeError):
        read_case(record)
