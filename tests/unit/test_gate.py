"""The gate: each condition at its bound and beyond, and what it lets through meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.domain.account import AccountState, Pause, PauseScope
from services.engine.gate import admission, closed, conditions, standing
from services.engine.process_facts import Incident, ProcessFacts, Trouble
from tests.builders_case import CONDITION, LEADER, NOON, a_trade, an_account, seconds

MS = timedelta(milliseconds=1)


def facts(**changes: Any) -> ProcessFacts:
    """An engine of the active version with everything in order."""
    good = ProcessFacts(
        now=NOON,
        account=an_account(),
        engine_version="1",
        expected_chain_id=137,
        reconciled_at=NOON - seconds(30),
        user_feed_live=True,
        database_skew_ms=5,
        venue_skew_ms=-1_000,
        chain_id=137,
        head_at=NOON - seconds(2),
        endpoints_agree=True,
        exchange_known=True,
        signer_ready=True,
        venue_open=True,
        closed_only=False,
        incidents=(),
    )
    return replace(good, **changes)


def troubles(trouble: Trouble, count: int, **changes: Any) -> tuple[Incident, ...]:
    return (replace(Incident(trouble, LEADER, CONDITION, NOON - seconds(1)), **changes),) * count


def spread(trouble: Trouble, count: int) -> tuple[Incident, ...]:
    """As many troubles, each of another leader and market."""
    return tuple(Incident(trouble, f"0x{n}", f"0xc{n}", NOON - seconds(1)) for n in range(count))


def paused(scope: PauseScope, subject: str = "") -> Any:
    return replace(an_account(), pauses=(Pause(scope, subject, "me", NOON),))


def test_with_everything_in_order_the_gate_is_open():
    names = [verdict.guard for verdict in conditions(facts())]

    assert names == ["trading_state", "readiness", "clock", "chain", "version", "signer", "venue", "brakes"]
    assert closed(facts()) == ()
    admitted = admission(facts())
    assert (admitted.fresh, admitted.only_exits, admitted.barred_leaders, admitted.barred_markets) == (
        True,
        False,
        (),
        (),
    )


@pytest.mark.parametrize(
    ("within", "beyond", "condition", "reason"),
    [
        ({}, {"account": replace(an_account(), state=AccountState.HALTED)}, "trading_state", "halted"),
        ({}, {"account": paused(PauseScope.ALL)}, "trading_state", "paused"),
        (
            {"reconciled_at": NOON - seconds(120)},
            {"reconciled_at": NOON - seconds(120) - MS},
            "readiness",
            "reconciled",
        ),
        ({}, {"reconciled_at": None}, "readiness", "reconciled"),
        ({}, {"user_feed_live": False}, "readiness", "user_feed_live"),
        ({"database_skew_ms": -2_000}, {"database_skew_ms": -2_001}, "clock", "database_skew"),
        ({"venue_skew_ms": 2_000}, {"venue_skew_ms": 3_000}, "clock", "venue_skew"),
        ({}, {"chain_id": 80_002}, "chain", "chain_id"),
        ({"head_at": NOON - seconds(15)}, {"head_at": NOON - seconds(15) - MS}, "chain", "head"),
        ({}, {"endpoints_agree": False}, "chain", "endpoints_agree"),
        ({}, {"exchange_known": False}, "chain", "exchange_known"),
        ({}, {"engine_version": "2"}, "version", "other_version"),
        ({}, {"account": replace(an_account(), active_version=""), "engine_version": ""}, "version", "other_version"),
        ({}, {"signer_ready": False}, "signer", "signer_ready"),
        ({}, {"venue_open": False, "venue_note": "restarting"}, "venue", "restarting"),
    ],
)
def test_a_condition_that_fails_holds_all_new_work(within, beyond, condition, reason):
    assert closed(facts(**within)) == ()
    assert [(verdict.guard, verdict.reason) for verdict in closed(facts(**beyond))] == [(condition, reason)]
    assert not admission(facts(**beyond)).fresh


@pytest.mark.parametrize(
    "unknown",
    [
        "user_feed_live",
        "database_skew_ms",
        "venue_skew_ms",
        "chain_id",
        "head_at",
        "endpoints_agree",
        "exchange_known",
        "signer_ready",
        "venue_open",
        "closed_only",
    ],
)
def test_what_is_not_known_closes_the_gate(unknown):
    assert not admission(facts(**{unknown: None})).fresh


@pytest.mark.parametrize(
    "beyond",
    [
        {"account": replace(an_account(), state=AccountState.REDUCING)},
        {"closed_only": True},
        {"incidents": spread(Trouble.UNKNOWN, 10)},
        {"incidents": spread(Trouble.REVIEW, 5)},
        {"incidents": None},
    ],
    ids=["reducing", "closed only", "ten troubles", "five reviews", "troubles unknown"],
)
def test_some_conditions_let_exits_pass(beyond):
    admitted = admission(facts(**beyond))

    assert admitted.closed
    assert (admitted.fresh, admitted.only_exits) == (True, True)


def test_one_trouble_fewer_than_the_brakes_bear_stops_nobody():
    few = (*spread(Trouble.UNKNOWN, 9), *spread(Trouble.REVIEW, 4))

    assert closed(facts(incidents=few)) == ()


@pytest.mark.parametrize(
    ("trouble", "count"), [(Trouble.UNKNOWN, 3), (Trouble.REJECTED, 5), (Trouble.UNSETTLED, 3), (Trouble.REVIEW, 2)]
)
def test_troubles_of_one_market_bar_that_market(trouble, count):
    elsewhere = {"leader": "0xother"} if trouble is not Trouble.REVIEW else {}
    incidents = (*troubles(trouble, count - 1), *troubles(trouble, 1, **elsewhere))

    assert admission(facts(incidents=incidents)).barred_markets == (CONDITION,)
    assert admission(facts(incidents=incidents[1:])).barred_markets == ()


@pytest.mark.parametrize(("trouble", "count"), [(Trouble.UNKNOWN, 3), (Trouble.REJECTED, 5), (Trouble.UNSETTLED, 3)])
def test_troubles_of_one_leader_bar_that_leader(trouble, count):
    incidents = (*troubles(trouble, count - 1), *troubles(trouble, 1, condition_id="0xother"))

    assert admission(facts(incidents=incidents)).barred_leaders == (LEADER,)
    assert admission(facts(incidents=incidents[1:])).barred_leaders == ()


def test_troubles_are_forgotten_after_ten_minutes_and_reviews_are_not():
    old = NOON - timedelta(minutes=10)

    assert admission(facts(incidents=troubles(Trouble.UNKNOWN, 3, at=old))).barred_markets == ()
    assert admission(facts(incidents=troubles(Trouble.UNKNOWN, 3, at=old + MS))).barred_markets == (CONDITION,)
    assert admission(facts(incidents=troubles(Trouble.REVIEW, 2, at=old))).barred_markets == (CONDITION,)


def test_a_pause_of_a_leader_or_market_bars_it():
    assert admission(facts(account=paused(PauseScope.LEADER, LEADER))).barred_leaders == (LEADER,)
    assert admission(facts(account=paused(PauseScope.MARKET, CONDITION))).barred_markets == (CONDITION,)


@pytest.mark.parametrize(
    ("account", "version", "entry_reasons", "exit_reasons"),
    [
        (an_account(), "1", [], []),
        (replace(an_account(), state=AccountState.HALTED), "1", ["halted"], ["halted"]),
        (replace(an_account(), state=AccountState.REDUCING), "1", ["reducing"], []),
        (paused(PauseScope.ALL), "1", ["paused"], ["paused"]),
        (paused(PauseScope.LEADER, LEADER.upper()), "1", ["leader_paused"], ["leader_paused"]),
        (paused(PauseScope.LEADER, "0xother"), "1", [], []),
        (paused(PauseScope.MARKET, CONDITION), "1", ["market_paused"], ["market_paused"]),
        (paused(PauseScope.MARKET, "0xother"), "1", [], []),
        (an_account(), "2", ["other_version"], ["other_version"]),
    ],
)
def test_state_pauses_and_version_are_judged_again_on_the_snapshot(account, version, entry_reasons, exit_reasons):
    for entry, reasons in ((True, entry_reasons), (False, exit_reasons)):
        verdicts = standing(account, a_trade(), CONDITION, version, entry=entry)

        assert [verdict.reason for verdict in verdicts] == reasons
