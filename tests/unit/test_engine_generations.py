"""Another order for the same trade: only after one that can fill no more, for a reason that may pass, while the trade is fresh."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain import transitions
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Attempt, IntentState, Outcome
from services.common.domain.lifecycle import CopyState, ForbiddenTransition
from services.common.polymarket.classify import REFUSALS
from services.engine.generation import RETRY_AFTER, allows_another
from services.engine.incidents import incidents
from services.engine.process_facts import Trouble
from services.engine.retries import retry_after
from tests.builders import NOON, a_copy, a_trade, an_intent
from tests.engine_world import ACCOUNT, World
from tests.scripted_venue import SHARE

FRESH_MS = 30_000
SECOND = timedelta(seconds=1)


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


@pytest.mark.parametrize("how", ["reject", "unmatched"])
async def test_a_trade_that_came_to_nothing_is_tried_again_with_a_new_order(world: World, how: str):
    world.venue.script = [how]
    copy = await world.buys()
    world.start()

    await world.run(5)

    done = await world.copy(copy)
    assert (done.state, done.failure, done.filled_micros) == (CopyState.EXECUTED, "", 10 * SHARE)
    assert (done.retry_count, done.last_retry_at is not None) == (1, True)
    assert [intent.generation for intent in done.intents] == [1, 2]
    assert [intent.state for intent in done.past_intents] == [IntentState.FINAL]
    assert len(set(done.order_hashes)) == 2
    assert world.venue.bought() == 10 * SHARE


async def test_there_are_three_orders_in_all_each_after_a_longer_rest(world: World):
    world.venue.script = ["reject"] * 9
    copy = await world.buys()
    world.start()

    await world.run(40)

    done = await world.copy(copy)
    sent = [intent.attempts[0].at for intent in done.intents]
    assert (done.state, done.failure, done.retry_count) == (CopyState.FAILED, "rejected", 2)
    assert [later - earlier >= wait for earlier, later, wait in zip(sent, sent[1:], RETRY_AFTER, strict=False)] == [
        True,
        True,
    ]
    assert len(world.venue.posts) == 3
    assert not (await world.account()).exposure.open


async def test_a_trade_that_is_too_old_by_then_is_not_tried_again(world: World):
    world.venue.script = ["reject"]
    copy = await world.buys(traded_at=NOON - timedelta(seconds=29.5))
    world.start()

    await world.run(10)

    done = await world.copy(copy)
    assert (done.state, done.failure, done.retry_count) == (CopyState.FAILED, "rejected", 0)


async def test_what_is_given_up_is_never_tried_again(world: World):
    world.venue.script = ["lost_before"] * 9
    copy = await world.buys()
    world.start()

    await world.run(200)

    done = await world.copy(copy)
    assert (done.failure, len(done.intents)) == ("presumed_dead", 1)
    assert not allows_another(done)


async def test_a_copy_that_is_tried_again_holds_up_no_other_of_its_token(world: World):
    world.venue.script = ["reject"]
    first, second = await world.buys(1), await world.buys(2)
    world.start()

    await world.run(0.9)

    assert (await world.copy(first)).state is CopyState.DETECTED
    assert (await world.copy(second)).state is CopyState.EXECUTED


async def test_every_order_that_was_rejected_counts_for_the_brakes(world: World):
    world.venue.script = ["reject", "reject"]
    await world.buys()
    world.start()
    await world.run(6)

    orders = await world.stores.copies.recent_orders(ACCOUNT, NOON)

    assert [incident.trouble for incident in incidents(orders, NOON)] == [Trouble.REJECTED] * 2
    assert len(orders[0].attempts) == 3


def failed(*outcomes: tuple[Outcome, str], **changes: object) -> tuple[Copy, tuple[Attempt, ...]]:
    attempts = tuple(Attempt(n, NOON, outcome, code=code) for n, (outcome, code) in enumerate(outcomes, 1))
    return a_copy(trade=a_trade(traded_at=NOON), **changes), attempts


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.text[:40])
def test_a_rejection_is_followed_by_another_order_where_its_reason_may_pass(refusal: object):
    copy, attempts = failed((Outcome.REJECTED, f"order 0x1: {refusal.text}"))  # type: ignore[attr-defined]

    assert (retry_after(copy, attempts, FRESH_MS, NOON) is not None) is refusal.passes  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("outcomes", "again"),
    [
        ([(Outcome.NOT_SENT, "refused")], True),
        ([(Outcome.ACKED, "unmatched")], True),
        ([(Outcome.NOT_SENT, "pool"), (Outcome.ACKED, "unmatched")], True),
        ([(Outcome.ACKED, "matched")], False),
        ([(Outcome.ACKED, "delayed")], False),
        ([(Outcome.UNKNOWN, "timeout"), (Outcome.ACKED, "unmatched")], False),
        ([(Outcome.DUPLICATED, "Duplicated")], False),
        ([(Outcome.OPEN, "")], False),
        ([(Outcome.REJECTED, "a text that nobody has seen")], False),
        ([(Outcome.REJECTED, "invalid signature"), (Outcome.ACKED, "unmatched")], False),
    ],
    ids=lambda value: "+".join(f"{outcome}-{code}" for outcome, code in value) if isinstance(value, list) else None,
)
def test_what_may_still_fill_or_would_be_refused_again_is_followed_by_nothing(
    outcomes: list[tuple[Outcome, str]], again: bool
):
    copy, attempts = failed(*outcomes)

    assert (retry_after(copy, attempts, FRESH_MS, NOON) is not None) is again


@pytest.mark.parametrize(
    ("age_s", "retries", "wait"),
    [(29, 0, SECOND), (29.001, 0, None), (27, 1, 3 * SECOND), (27.001, 1, None), (0, 2, None)],
)
def test_an_order_is_made_again_while_its_trade_is_fresh(age_s: float, retries: int, wait: timedelta | None):
    copy, attempts = failed((Outcome.ACKED, "unmatched"), retry_count=retries)

    assert retry_after(copy, attempts, FRESH_MS, NOON + timedelta(seconds=age_s)) == wait


def test_an_exit_opens_its_own_attempts():
    copy, attempts = failed((Outcome.ACKED, "unmatched"), kind=CopyKind.EXIT)

    assert retry_after(copy, attempts, FRESH_MS, NOON) is None


FINAL = an_intent(attempts=(Attempt(1, NOON, Outcome.REJECTED),), state=IntentState.FINAL)
OVER = a_copy(state=CopyState.FAILED, intent=FINAL)


def test_a_retry_keeps_the_order_that_failed():
    again = transitions.retried(OVER, NOON + SECOND, NOON)

    assert (again.state, again.intent, again.claimable_at) == (CopyState.DETECTED, FINAL, NOON + SECOND)
    assert (again.retry_count, again.last_retry_at, again.trail[-1].action) == (1, NOON, "retry:1")


@pytest.mark.parametrize(
    "changes",
    [
        {"intent": replace(FINAL, state=IntentState.PRESUMED_DEAD)},
        {"intent": replace(FINAL, attempts=(Attempt(1, NOON, Outcome.UNKNOWN), *FINAL.attempts))},
        {"filled_micros": 1},
        {"needs_review": True},
        {"kind": CopyKind.EXIT},
        {"state": CopyState.EXECUTING},
        {"state": CopyState.SKIPPED},
    ],
    ids="+".join,
)
def test_a_copy_whose_order_may_fill_or_has_filled_goes_never_back(changes: dict[str, object]):
    with pytest.raises(ForbiddenTransition):
        transitions.retried(replace(OVER, **changes), NOON, NOON)
