"""What must hold of a world about getting out that has come to rest, besides what holds of every world."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Cause, Exit, ExitState, Lot, exit_id, owed_of, own, remaining, unowned
from services.common.domain.follow import FollowState, Leaving
from services.engine import exits
from services.engine.stock import counted
from tests.simulation import invariants
from tests.simulation.leaving import LeavingWorld, debts_of, states
from tests.simulation.world import ACCOUNT, SHARE

MINIMUM = 5 * SHARE
GRACE = timedelta(seconds=20)


def broken(world: LeavingWorld) -> list[str]:
    """Every invariant that does not hold, in words; empty where all do."""
    checks = (
        invariants._no_order_twice,
        invariants._every_fill_booked,
        invariants._exposure_is_the_sum,
        _every_exit_is_met_or_told_of,
        _no_exit_sells_more_than_it_owes,
        _what_is_met_is_met,
        _every_step_is_the_leaders_own,
        _every_event_is_seen_once,
        _who_was_left_is_left,
        _a_request_asks_once,
        _what_is_old_is_sold,
        _every_copy_ends,
    )
    return [*world.violations, *(line for check in checks for line in check(world))]


def _all(world: LeavingWorld) -> list[Exit]:
    return list(world.stores.database.exits.values())


def _mine(world: LeavingWorld, exit_: Exit) -> list[Copy]:
    same = exit_.follow_id, exit_.token_id
    return [copy for copy in world.copies if (copy.follow_id, copy.trade.token_id) == same]


def _entries(world: LeavingWorld, exit_: Exit) -> list[Copy]:
    return [counted(copy) for copy in _mine(world, exit_) if copy.kind is CopyKind.ENTRY]


def _sold(world: LeavingWorld, exit_: Exit) -> int:
    sold = sum(invariants._filled(world, copy) for copy in _mine(world, exit_) if copy.kind is CopyKind.EXIT)
    return sold - (exit_.kept.sold_micros if exit_.kept else 0)


def _every_exit_is_met_or_told_of(world: LeavingWorld) -> Iterator[str]:
    for exit_ in _all(world):
        if exit_.state is ExitState.OPEN and not exit_.overdue:
            yield f"I5: exit {exit_.exit_id[-20:]} is open, and nobody was told"


def _every_copy_ends(world: LeavingWorld) -> Iterator[str]:
    if not world.is_at_rest:
        left = [f"{copy.kind} {copy.state}" for copy in world.copies if copy.state not in invariants.ENDED]
        yield f"I5: the world does not come to rest: {left}"


def _no_exit_sells_more_than_it_owes(world: LeavingWorld) -> Iterator[str]:
    """By everything that ever matched: a purchase may have failed to settle after its share of it was sold."""
    for exit_ in _all(world):
        lots = [Lot(copy.copy_id, exits.place(copy), world.matched_micros(copy)) for copy in _entries(world, exit_)]
        owed, sold = owed_of(exit_, lots), _sold(world, exit_)
        if sold > owed + LOT_MICROS:
            yield f"EXIT: {sold} sold of the {owed} that were owed"


def _what_is_met_is_met(world: LeavingWorld) -> Iterator[str]:
    for exit_ in _all(world):
        left = owed_of(exit_, exits.lots(_entries(world, exit_))) - _sold(world, exit_)
        if exit_.is_unowned:
            # Two requests that overlap ask for the same tokens twice: no more is owed than there is.
            left = min(left, _held(world, exit_.token_id))
        most = {ExitState.MET: LOT_MICROS, ExitState.DUST: MINIMUM}.get(exit_.state)
        if most is not None and left >= most:
            yield f"EXIT: {exit_.state}, and {left} are still owed"


def _held(world: LeavingWorld, token_id: str) -> int:
    holding = world.stores.database.accounts[ACCOUNT].exposure.held.get(token_id)
    return holding.shares_micros if holding else 0


def _every_step_is_the_leaders_own(world: LeavingWorld) -> Iterator[str]:
    """One for each of his transactions, of the part that he really gave up."""
    for exit_ in _all(world):
        for step in (one for one in exit_.steps if one.cause is Cause.LEADER):
            leader, token, tx = step.key.split("|")
            true = world.given.get((leader, token, tx))
            if true is None or step.fraction != true.part:
                yield f"STEP: {step.fraction} of {step.key[-20:]}, he gave up {true and true.part}"


def _every_event_is_seen_once(world: LeavingWorld) -> Iterator[str]:
    """I2: what was bought is an entry, and what was given up a debt; of a follow that was left, at most."""
    entries = Counter(
        (copy.trade.leader, copy.trade.token_id, copy.trade.tx_hash)
        for copy in world.copies
        if copy.kind is CopyKind.ENTRY
    )
    for key in world.bought:
        if entries[key] != 1 and (entries[key] > 1 or not world.is_left(world.follow_of(key[0]))):
            yield f"I2: {entries[key]} entries for a purchase"
    for key, given in world.given.items():
        found, all_of_it = debts_of(world, world.follow_of(key[0]), key), max(given.orders, 1)
        if found > all_of_it or (found < all_of_it and not world.is_left(world.follow_of(key[0]))):
            yield f"I2: {found} debts for what was given up"


def _who_was_left_is_left(world: LeavingWorld) -> Iterator[str]:
    stuck = {exit_.follow_id for exit_ in _all(world) if exit_.state is ExitState.OPEN}
    for follow in world.stores.follows._follows.values():
        if follow.leaving is Leaving.STAY or follow.follow_id in stuck:
            continue
        if states(world)[follow.follow_id] is not FollowState.CLOSED:
            yield f"LEAVE: a follow that was left to {follow.leaving} is {follow.state}"
        for exit_ in _all(world):
            held = exits.holding_micros(_entries(world, exit_), _mine(world, exit_), exit_.kept)
            over = exit_.state in {ExitState.DUST, ExitState.EXTERNAL, ExitState.RESOLVED}
            if exit_.follow_id == follow.follow_id and held >= MINIMUM and not over:
                yield f"LEAVE: {held} are still held by a follow that was left to {follow.leaving}"


def _a_request_asks_once(world: LeavingWorld) -> Iterator[str]:
    requests = world.stores.close_requests._requests.values()
    yield from (f"REQUEST: {request.key[-10:]} was never carried out" for request in requests if not request.done)
    for exit_ in _all(world):
        asked = Counter(step.key.split("|")[1] for step in exit_.steps if step.cause is Cause.REQUEST)
        yield from (f"REQUEST: asked {times} times by the name {name}" for name, times in asked.items() if times > 1)
    for request in requests:
        for ask in request.asks:
            kept = world.stores.database.exits.get(exit_id(ask.follow_id, ask.token_id))
            if kept is None or ask.step.key not in {step.key for step in kept.steps}:
                yield "REQUEST: nothing is owed for it"


def _what_is_old_is_sold(world: LeavingWorld) -> Iterator[str]:
    limit = timedelta(milliseconds=world.policy.max_holding_ms)
    if not limit:
        return
    for follow in world.stores.follows._follows.values():
        for token in {copy.trade.token_id for copy in world.copies}:
            known = world.stores.database.exits.get(exit_id(follow.follow_id, token))
            entries = [c for c in world.copies if (c.follow_id, c.trade.token_id) == (follow.follow_id, token)]
            mine = [counted(copy) for copy in entries if copy.kind is CopyKind.ENTRY]
            lots = own(exits.lots(mine), known.kept if known else None)
            for lot in lots:
                since = world.stores.database.copies[lot.copy_id].executed_at
                old = since is not None and world.ended_at - since > limit + GRACE
                if old and remaining(lot.place, known.steps if known else ()) > 0:
                    yield f"TIME: a lot is held for {world.ended_at - since} by {follow.state}"


def nobody(world: LeavingWorld) -> bool:
    """Whether the account has an exit of tokens that no follow owns."""
    return any(exit_.follow_id == unowned(ACCOUNT) for exit_ in _all(world))
