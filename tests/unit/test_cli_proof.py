"""Each way in which our books and the venue's log can be off is named, and none of them is a success."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.cli.summary import ok
from services.common.domain.exit import Exit, ExitState, Place, Step
from services.common.domain.fill import Discrepancy, TradeStatus
from services.common.domain.follow import FollowState
from services.common.domain.lifecycle import CopyState
from tests.builders import ACCOUNT, NOON, TOKEN, a_copy, a_follow, an_intent
from tests.finished_run import ACKED, COST, LEFT, NOON_MS, OUT, PAID, SALE_FEE, SHARES, SOLD, Run, a_run, hashes_of

SECOND = "0x" + "b" * 40


@pytest.fixture
def run() -> Run:
    return a_run()


def _an_order_of_nobody(run: Run) -> None:
    run.lines += [{**run.line("order_received"), "hash": "0xdead"}]


def _two_copies_of_one_key(run: Run) -> None:
    run.copies["again"] = replace(run.copies["entry"], copy_id="another", intent=None, filled_micros=0)


def _two_copies_of_one_fill(run: Run) -> None:
    skipped = {"state": CopyState.SKIPPED, "skip_reason": "sizing", "trade": run.copies["entry"].trade}
    run.copies["again"] = replace(a_copy(9, **skipped), idempotency_key="another")


def _one_order_of_two_copies(run: Run) -> None:
    run.copies["again"] = replace(a_copy(3), intent=run.copies["entry"].intent)


def _a_second_order_that_filled_too(run: Run) -> None:
    run.change("entry", past_intents=(an_intent(5, attempts=ACKED),))
    order = run.copies["entry"].past_intents[0].order_hash
    run.lines += [{**run.line("order_received"), "hash": order}, {**run.line("wallet_fill"), "order_hash": order}]


def _a_purchase_beyond_its_order(run: Run) -> None:
    maker = replace(run.copies["entry"].intent.fields, maker_amount=PAID - 1)  # type: ignore[union-attr]
    run.change_intent("entry", fields=maker)


def _a_sale_beyond_its_order(run: Run) -> None:
    maker = replace(run.copies["exit"].intent.fields, maker_amount=SOLD - 1)  # type: ignore[union-attr]
    run.change_intent("exit", fields=maker)


def _a_fill_without_a_copy(run: Run) -> None:
    run.lines += [{**run.line("leader_fill"), "tx_hash": "0xbeef"}]


def _an_account_without_a_copy(run: Run) -> None:
    run.accounts.append(SECOND)
    run.follows.append(a_follow(SECOND))


def _a_leader_whom_nobody_follows(run: Run) -> None:
    run.lines += [{**run.line("leader_fill"), "wallet": "0x" + "9" * 40}]


def _a_fill_that_is_not_booked(run: Run) -> None:
    run.fills.pop(0)


def _a_fill_that_is_not_confirmed(run: Run) -> None:
    run.change_fill(0, status=TradeStatus.MINED)


def _fewer_shares_booked(run: Run) -> None:
    run.change_fill(0, shares_micros=SHARES - 1)


def _an_order_that_never_arrived(run: Run) -> None:
    run.copies["sent"] = a_copy(3, state=CopyState.FAILED, intent=an_intent(3, attempts=ACKED))
    run.lines += [{**run.line("leader_fill"), **hashes_of(3)}]


def _a_debt_that_nothing_was_sold_for(run: Run) -> None:
    run.change("debt", exit_id="another exit")


def _a_copy_of_no_fill(run: Run) -> None:
    run.copies["phantom"] = a_copy(3, state=CopyState.SKIPPED, skip_reason="sizing")


def _a_booked_fill_of_nothing(run: Run) -> None:
    run.fills.append(replace(run.fills[0], order_hash="0xfeed", trade_id="never"))


def _more_shares_booked(run: Run) -> None:
    run.change_fill(0, shares_micros=SHARES + 1)


def _another_price_booked(run: Run) -> None:
    run.change_fill(0, usdc_micros=PAID + 1)


def _another_fee_booked(run: Run) -> None:
    run.change_fill(1, fee_micros=SALE_FEE - 1)


def _a_copy_that_says_more_than_it_got(run: Run) -> None:
    run.change("entry", filled_micros=SHARES + 1)


def _a_copy_that_failed_but_filled(run: Run) -> None:
    run.change("entry", state=CopyState.FAILED, filled_micros=0, paid_micros=0, fee_micros=0)


def _an_order_for_another_token(run: Run) -> None:
    run.line("order_received")["token"] = "8" * 70


def _an_order_for_the_other_side(run: Run) -> None:
    run.line("order_received")["side"] = "SELL"


def _another_source_disagrees(run: Run) -> None:
    run.results[0] = replace(run.results[0], discrepancies=(Discrepancy(TOKEN, "chain", LEFT, 0),))


def _a_comparison_that_could_not_ask(run: Run) -> None:
    run.results[0] = replace(run.results[0], complete=False, unreachable=("chain",))


def _no_comparison(run: Run) -> None:
    run.results.clear()


def _an_old_comparison(run: Run) -> None:
    run.results[0] = replace(run.results[0], started_at=NOON - timedelta(seconds=1))


def _a_position_too_large(run: Run) -> None:
    run.positions[0] = replace(run.positions[0], shares_micros=LEFT + 1)


def _holdings_that_only_agree_in_sum(run: Run) -> None:
    run.accounts.append(SECOND)
    half = replace(run.positions[0], shares_micros=LEFT // 2)
    run.positions[:] = [half, replace(half, account_id=SECOND)]


def _a_position_that_cost_less(run: Run) -> None:
    run.positions[0] = replace(run.positions[0], cost_micros=COST - OUT - 1)


def _a_copy_under_way(run: Run) -> None:
    run.change("entry", state=CopyState.EXECUTED)


def _a_skip_without_a_reason(run: Run) -> None:
    run.copies["skipped"] = a_copy(3, state=CopyState.SKIPPED)
    run.lines += [{**run.line("leader_fill"), **hashes_of(3)}]


def _a_copy_for_a_person_to_look_at(run: Run) -> None:
    run.change("entry", needs_review=True)


def _an_exit_that_still_owes(run: Run) -> None:
    run.exits.append(an_exit(decrease_micros=SOLD + 10_000))


DUPLICATED: tuple[tuple[Callable[[Run], None], str], ...] = (
    (_an_order_of_nobody, "order 0xdead, which our journal does not have"),
    (_two_copies_of_one_key, "2 copies for the key"),
    (_two_copies_of_one_fill, "has 2 copies of the fill"),
    (_one_order_of_two_copies, "belongs to 2 copies"),
    (_a_second_order_that_filled_too, "filled 2 orders"),
    (_a_purchase_beyond_its_order, "gave 5000000 of the 4999999"),
    (_a_sale_beyond_its_order, "gave 4000000 of the 3999999"),
)
LOST: tuple[tuple[Callable[[Run], None], str], ...] = (
    (_a_fill_without_a_copy, "has no copy of the fill"),
    (_an_account_without_a_copy, f"{SECOND} has no copy of the fill"),
    (_a_leader_whom_nobody_follows, "nobody follows 0x999"),
    (_a_fill_that_is_not_booked, "booked are 0"),
    (_a_fill_that_is_not_confirmed, "booked are 0"),
    (_fewer_shares_booked, "booked are 9999999"),
    (_an_order_that_never_arrived, "which it never got"),
    (_a_debt_that_nothing_was_sold_for, "nothing was sold for it"),
)
DISAGREEING: tuple[tuple[Callable[[Run], None], str], ...] = (
    (_a_copy_of_no_fill, "of a fill that the venue does not know"),
    (_a_booked_fill_of_nothing, "order 0xfeed filled (shares, USDC, fee) (0, 0, 0)"),
    (_more_shares_booked, "booked are (10000001,"),
    (_another_price_booked, "booked are (10000000, 5000001, 20000)"),
    (_another_fee_booked, "booked are (4000000, 2200000, 8999)"),
    (_a_copy_that_says_more_than_it_got, "is reconciled with (shares, USDC, fee) (10000001,"),
    (_a_copy_that_failed_but_filled, "is failed with (shares, USDC, fee) (0, 0, 0)"),
    (_an_order_for_another_token, "reached the venue as BUY of 888"),
    (_an_order_for_the_other_side, "reached the venue as SELL"),
    (_another_source_disagrees, "chain says 0"),
    (_a_comparison_that_could_not_ask, "could not ask chain"),
    (_no_comparison, "was never compared"),
    (_an_old_comparison, "compared before its last fill"),
    (_a_position_too_large, f"the venue's log says {LEFT} of"),
    (_holdings_that_only_agree_in_sum, f"the venue's log says {LEFT} of"),
    (_a_position_that_cost_less, "cash of"),
)
OTHERS: tuple[tuple[Callable[[Run], None], str], ...] = (
    (_a_copy_under_way, "is still executed"),
    (_a_skip_without_a_reason, "was skipped for no reason"),
    (_a_copy_for_a_person_to_look_at, "needs a person's review"),
    (_an_exit_that_still_owes, "still owes"),
)


def _named(spoil: object) -> str | None:
    return getattr(spoil, "__name__", None)


@pytest.mark.parametrize(("spoil", "words"), DUPLICATED, ids=_named)
def test_what_was_done_twice_is_named(run: Run, spoil: Callable[[Run], None], words: str):
    spoil(run)

    _is_named(run.summary(), words, "duplicates")


@pytest.mark.parametrize(("spoil", "words"), LOST, ids=_named)
def test_what_was_lost_is_named(run: Run, spoil: Callable[[Run], None], words: str):
    spoil(run)

    _is_named(run.summary(), words, "lost")


@pytest.mark.parametrize(("spoil", "words"), DISAGREEING, ids=_named)
def test_what_the_books_say_otherwise_is_named(run: Run, spoil: Callable[[Run], None], words: str):
    spoil(run)

    _is_named(run.summary(), words, "discrepancies")


@pytest.mark.parametrize(("spoil", "words"), OTHERS, ids=_named)
def test_what_has_not_ended_well_is_named(run: Run, spoil: Callable[[Run], None], words: str):
    spoil(run)

    found = run.summary()
    assert any(words in problem for problem in found["problems"])
    assert not ok(found)


def test_a_fill_from_before_the_follow_needs_no_copy(run: Run):
    run.lines += [{**run.line("leader_fill"), "tx_hash": "0xbeef", "mined_at_ms": NOON_MS - 4_000_000}]

    assert run.summary()["problems"] == []


def test_a_follow_that_is_closed_needs_no_copies(run: Run):
    run.follows.append(a_follow(SECOND, state=FollowState.CLOSED))
    run.accounts.append(SECOND)
    run.results.append(replace(run.results[0], account_id=SECOND))

    assert run.summary()["problems"] == []


def test_an_exit_that_is_met_and_only_waits_to_be_closed_owes_nothing(run: Run):
    run.exits.append(an_exit(decrease_micros=SOLD))

    assert run.summary()["problems"] == []


def an_exit(decrease_micros: int) -> Exit:
    """The open exit behind the run's sale: the leader sold so many of his ten shares."""
    step = Step("the sale", Place(102, 1), decrease_micros, SHARES)
    return Exit("the exit", ACCOUNT, a_copy(1).follow_id, TOKEN, ExitState.OPEN, (step,), NOON, attempts=1)


def _is_named(found: dict[str, Any], words: str, kind: str) -> None:
    assert any(words in problem for problem in found["problems"]), found["problems"]
    assert found[kind] > 0
    assert not ok(found)
