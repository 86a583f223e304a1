"""Control of an account: what is safer is at once, what lets more pass waits for a day or for a second admin."""

from dataclasses import asdict, fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain import contents, control
from services.common.domain.account import Account, AccountState, Limits, Pause, PauseScope
from services.common.domain.control import Standing
from services.common.domain.limits import SAFER_WHEN_LARGER, is_looser
from tests.builders import CONDITION, LEADER, NOON, an_account

A_DAY = timedelta(hours=24)
SOON = timedelta(seconds=1)
ONE, TWO = "0x" + "1" * 40, "0x" + "2" * 40
SHIPPED = Limits()
NAMES = sorted(field.name for field in fields(Limits))


def waiting(account: Account) -> dict[str, int]:
    return {name: figure for one in account.raises for name, figure in one.limits.items()}


def test_every_limit_has_its_safe_direction():
    larger_lets_more_pass = {name for name in NAMES if name.startswith("max_")}

    assert set(NAMES) - larger_lets_more_pass == SAFER_WHEN_LARGER | {"min_collar_ticks", "intent_lifetime_ms"}
    assert larger_lets_more_pass.isdisjoint(SAFER_WHEN_LARGER)


def test_a_mixed_change_is_split_by_figure():
    wanted = {"max_order_micros": 1, "max_market_micros": 2_000_000_000, "min_price_micros": 10_000}

    after = control.limited(an_account(), wanted, ONE, NOON)

    assert after.limits == replace(SHIPPED, max_order_micros=1)
    assert waiting(after) == {"max_market_micros": 2_000_000_000, "min_price_micros": 10_000}
    assert (after.raises[0].by, after.raises[0].effective_at) == (ONE, NOON + A_DAY)
    assert after.limits_version == 2


def test_a_raise_is_in_force_after_a_day_and_not_a_moment_sooner():
    asked = control.limited(an_account(), {"max_order_micros": 300_000_000}, ONE, NOON)

    assert control.ripened(asked, NOON + A_DAY - timedelta(milliseconds=1)) is None
    after = control.ripened(asked, NOON + A_DAY)

    assert after is not None
    assert (after.limits.max_order_micros, after.raises) == (300_000_000, ())
    assert control.ripened(after, NOON + 2 * A_DAY) is None


def test_a_second_admin_puts_a_raise_in_force_at_once_and_the_first_does_not():
    asked = control.limited(an_account(), {"max_order_micros": 300_000_000}, ONE, NOON)
    (wanted,) = asked.raises

    with pytest.raises(control.OwnRaise):
        control.confirmed(asked, wanted.raise_id, ONE.upper().replace("X", "x"), NOON)
    after = control.confirmed(asked, wanted.raise_id, TWO, NOON)

    assert (after.limits.max_order_micros, after.raises) == (300_000_000, ())
    assert after.trail[-1].actor == TWO
    with pytest.raises(control.NotWaiting):
        control.confirmed(after, wanted.raise_id, TWO, NOON)


def test_what_an_operator_asks_for_takes_two_people_who_are_not_the_same():
    asked = control.limited(an_account(), {"max_order_micros": 300_000_000}, "ops", NOON)
    (wanted,) = asked.raises

    first = control.confirmed(asked, wanted.raise_id, ONE, NOON + SOON)

    assert first.limits == SHIPPED
    assert first.raises == (replace(wanted, by=ONE),)
    assert (first.trail[-1].actor, first.trail[-1].action) == (ONE, f"vouched:{wanted.raise_id}")
    with pytest.raises(control.OwnRaise):
        control.confirmed(first, wanted.raise_id, ONE, NOON + SOON)
    assert control.confirmed(first, wanted.raise_id, TWO, NOON + SOON).limits.max_order_micros == 300_000_000
    ripened = control.ripened(first, NOON + A_DAY)
    assert ripened is not None
    assert ripened.limits.max_order_micros == 300_000_000


def test_a_raise_is_withdrawn_by_who_asks_for_the_figure_in_force_and_no_other_is():
    wanted = {"max_order_micros": 300_000_000, "max_fee_bps": 300}
    asked = control.limited(an_account(), wanted, ONE, NOON)

    after = control.limited(asked, {"max_order_micros": SHIPPED.max_order_micros}, TWO, NOON + SOON)

    assert after.limits == SHIPPED
    assert [(one.limits, one.effective_at) for one in after.raises] == [({"max_fee_bps": 300}, NOON + A_DAY)]


def test_a_raise_that_is_taken_back_never_takes_effect():
    asked = control.limited(an_account(), {"max_order_micros": 300_000_000}, ONE, NOON)

    after = control.cancelled(asked, asked.raises[0].raise_id, TWO, NOON)

    assert control.ripened(after, NOON + A_DAY) is None
    assert after.limits == SHIPPED
    with pytest.raises(control.NotWaiting):
        control.cancelled(after, asked.raises[0].raise_id, TWO, NOON)


def test_a_limit_that_is_tightened_meanwhile_is_not_raised_by_what_was_asked_before():
    asked = control.limited(an_account(), {"max_order_micros": 300_000_000, "max_fee_bps": 300}, ONE, NOON)
    tightened = control.limited(asked, {"max_order_micros": 9}, TWO, NOON + SOON)

    after = control.ripened(tightened, NOON + A_DAY)

    assert after is not None
    assert (after.limits.max_order_micros, after.limits.max_fee_bps) == (9, 300)


def test_a_raise_that_is_asked_for_again_goes_on_waiting_and_another_figure_waits_anew():
    wanted = {"max_order_micros": 300_000_000}
    asked = control.limited(an_account(), wanted, ONE, NOON)

    again = control.limited(asked, wanted, ONE, NOON + SOON)
    more = control.limited(asked, {"max_order_micros": 400_000_000}, ONE, NOON + SOON)

    assert again.raises == asked.raises
    assert [(one.limits, one.effective_at) for one in more.raises] == [
        ({"max_order_micros": 400_000_000}, NOON + SOON + A_DAY)
    ]


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 30_000)), max_size=6))
def test_whatever_one_admin_asks_for_no_limit_is_ever_looser_before_its_day_is_over(wishes):
    account, tightest = an_account(), asdict(SHIPPED)
    for number, wish in enumerate(wishes):
        account = control.limited(account, wish, ONE, NOON + number * SOON)
        account = control.ripened(account, NOON + A_DAY - SOON) or account
        for name, figure in asdict(account.limits).items():
            assert not is_looser(name, tightest[name], figure)
            tightest[name] = figure


def test_what_makes_trading_safer_never_loosens_what_is_halted():
    halted = an_account(state=AccountState.HALTED)

    assert control.reduced(halted, "ops", "asked", NOON) is None
    assert control.reduced(an_account(), "ops", "asked", NOON).state is AccountState.REDUCING


def pause(scope: PauseScope, subject: str = "") -> Pause:
    return Pause(scope, subject, "ops", NOON)


@pytest.mark.parametrize(
    ("changes", "entries", "exits"),
    [
        ({}, True, True),
        ({"state": AccountState.HALTED}, False, False),
        ({"state": AccountState.REDUCING}, False, True),
        ({"active_version": "2"}, False, False),
        ({"active_version": "1"}, True, True),
        ({"pauses": (pause(PauseScope.ALL),)}, False, False),
        ({"pauses": (pause(PauseScope.LEADER, LEADER),)}, False, False),
        ({"pauses": (pause(PauseScope.LEADER, TWO),)}, True, True),
        ({"pauses": (pause(PauseScope.MARKET, CONDITION),)}, False, False),
        ({"pauses": (pause(PauseScope.MARKET, "0x" + "d" * 64),)}, True, True),
    ],
)
def test_an_attempt_is_admitted_by_state_version_and_pauses(changes, entries, exits):
    account = an_account(**changes)

    admitted = [control.admits(account, Standing("1", LEADER, CONDITION, entry)) for entry in (True, False)]

    assert admitted == [entries, exits]


def test_every_change_says_who_made_it_and_what_it_found_and_left():
    first = control.created(an_account(), "config", NOON)
    second = control.paused(first, pause(PauseScope.ALL))
    third = control.started(second, "2", ONE, NOON)

    assert [(entry.actor, entry.action) for entry in third.trail] == [
        ("config", "created"),
        ("ops", "paused:all:"),
        (ONE, "active:2"),
    ]
    assert third.trail[2].before == third.trail[1].after == contents.hashed(contents.of_account(second))
    assert third.trail[2].after == contents.hashed(contents.of_account(third))
    assert third.trail[2].previous == third.trail[1].digest
