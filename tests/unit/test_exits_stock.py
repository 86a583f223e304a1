"""What of a token an exit may sell, and what of it a person has sold."""

import pytest

from services.common.domain.exit import Kept, Place
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.engine.exits import Stock, holding_micros, lots, sold_micros, stock, watched_micros
from tests.builders_case import SHARE, YES, a_copy, a_holding, a_trade, an_account, an_intent, an_open_intent
from tests.exit_builders import an_attempt, an_entry


def held(shares: int) -> dict:
    return {"held": {YES: a_holding(shares_micros=shares)}} if shares else {}


def a_sale(shares: int, **changes: object) -> dict:
    return {"open": {"other": an_open_intent(side=Side.SELL, shares_micros=shares, **changes)}}


BUYING = {"open": {"other": an_open_intent()}}


@pytest.mark.parametrize(
    ("settled", "others", "mine", "missing"),
    [
        (40, 10, 30, 0),
        (50, 10, 30, 0),
        (30, 0, 30, 0),
        (39, 10, 30, 0),
        (38, 10, 30, 1),
        (20, 10, 30, 15),
        (0, 10, 30, 30),
        (0, 0, 30, 30),
        (0, 10, 0, 0),
        (0, 0, 0, 0),
        (None, 10, 30, 0),
    ],
    ids=[
        "all of it is there",
        "more is there",
        "all of its own is there",
        "less than a whole of its part",
        "two, of which more than one is its part",
        "half",
        "all, of several follows",
        "all of its own",
        "all of another's",
        "nobody holds any",
        "not known",
    ],
)
def test_what_a_person_has_sold_is_missing_to_every_follow_by_its_part(settled, others, mine, missing):
    assert stock(an_account(), YES, settled, others, mine) == Stock(settled, 0, others, False, missing)


def test_what_belongs_to_others_alone_is_missing_to_them():
    assert stock(an_account(), YES, 0, 10) == Stock(0, 0, 10, False, 0)


@pytest.mark.parametrize(
    ("account", "selling", "missing"),
    [
        (an_account(**BUYING), 0, 0),
        (an_account(**BUYING, **held(20)), 0, 0),
        (an_account(**BUYING, **held(40)), 0, 15),
        (an_account(**a_sale(20), **held(40)), 20, 0),
        (an_account(**a_sale(30), **held(40)), 30, 0),
        (an_account(**a_sale(19), **held(40)), 19, None),
        (an_account(**a_sale(19)), 19, 0),
        (an_account(**BUYING, **held(21)), 0, 0),
    ],
    ids=[
        "a purchase, and nothing settled by the books",
        "a purchase, and what the books say is there",
        "a purchase takes nothing",
        "a sale took all of it",
        "a sale took some of it",
        "a sale took a part, a person another",
        "a sale of what the books do not have",
        "less than a whole of its part is gone",
    ],
)
def test_while_an_order_is_under_way_only_what_it_cannot_have_taken_is_missing(account, selling, missing):
    assert stock(account, YES, 20, 10, 30) == Stock(20, selling, 10, True, missing)


def test_what_the_books_do_not_have_yet_is_not_missing():
    assert stock(an_account(**BUYING), YES, 0, 0, 30) == Stock(0, 0, 0, True, 0)
    assert stock(an_account(**BUYING, **held(1)), YES, 0, 0, 30) == Stock(0, 0, 0, True, 1)


def test_orders_of_another_token_explain_nothing():
    account = an_account(**a_sale(19, token_id="73"), **held(40))

    assert stock(account, YES, 20, 10, 30) == Stock(20, 0, 10, False, 15)


def test_a_stock_without_a_word_of_what_is_missing_misses_nothing():
    assert Stock(1, 2, 3, False).missing_micros == 0
    assert Stock(9, 2, 3, False).free_micros == 4
    assert Stock(4, 2, 3, False).free_micros == Stock(None, 2, 3, False).free_micros == 0


FIVE = Kept(Place(10, 0), 5 * SHARE)


@pytest.mark.parametrize(
    ("entries", "attempts", "kept", "shares"),
    [
        ([an_entry(9, 30), an_entry(10, 20)], [an_attempt(12)], None, 38),
        ([an_entry(9, 30), an_entry(10, 20)], [an_attempt(5)], FIVE, 20),
        ([an_entry(9, 30), an_entry(10, 20)], [an_attempt(12)], FIVE, 13),
        ([an_entry(9, 30), an_entry(10, 20)], [an_attempt(3)], FIVE, 20),
        ([an_entry(9, 30)], [], FIVE, 0),
        ([an_entry(10, 20)], [an_attempt(40)], None, 0),
    ],
    ids=[
        "bought less sold",
        "what was kept, and what was sold of it, is left out",
        "sold since then",
        "never more than was bought",
        "all was kept",
        "never below zero",
    ],
)
def test_a_follow_holds_what_it_bought_since_its_owner_kept_some(entries, attempts, kept, shares):
    assert holding_micros(entries, attempts, kept) == shares * SHARE


def test_lots_are_filled_entries_and_nothing_else():
    entry = a_copy(copy_id="e", trade=a_trade(block_number=10, log_index=3), state=CopyState.EXECUTED, filled_micros=1)
    unfilled = a_copy(copy_id="u", state=CopyState.EXECUTED, filled_micros=0)

    (lot,) = lots([entry, unfilled, an_attempt(9), an_entry(10, 9, CopyState.EXECUTING)])

    assert (lot.copy_id, lot.place, lot.shares_micros) == ("e", Place(10, 3), 1)


def test_what_is_sold_are_matched_attempts_and_what_is_watched_are_those_given_up():
    given_up = a_copy(
        kind=an_attempt(0).kind,
        state=CopyState.FAILED,
        intent=an_intent(IntentState.PRESUMED_DEAD, Outcome.UNKNOWN, shares_micros=7),
        filled_micros=5,
    )
    copies = [
        given_up,
        an_attempt(2),
        an_attempt(3, CopyState.EXECUTED),
        an_attempt(4, CopyState.EXECUTING),
        an_attempt(4, CopyState.FAILED, asked=4),
        an_entry(10, 9),
        a_copy(kind=an_attempt(0).kind, state=CopyState.FAILED),
        a_copy(state=CopyState.FAILED, intent=an_intent(IntentState.PRESUMED_DEAD, shares_micros=9)),
        a_copy(
            kind=an_attempt(0).kind,
            state=CopyState.EXECUTED,
            intent=an_intent(IntentState.PRESUMED_DEAD, shares_micros=9),
        ),
    ]

    assert sold_micros(copies) == 5 * SHARE
    assert watched_micros(copies) == 7
