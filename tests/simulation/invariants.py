"""What must hold of a world that has come to rest (orders.md 9)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import ExitState, Lot, owed_micros
from services.common.domain.fill import TradeStatus
from services.common.domain.intent import IntentState
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div
from services.engine import grouping
from services.engine.exits import place
from services.monitor.removals import GONE_FOR, REASON
from tests.builders import NOON
from tests.simulation.weather import FAULTS_END_S, LONGEST_STALL_S
from tests.simulation.world import ACCOUNT, ENDED, World, waits_for_what_was_taken_back

NOTICED = timedelta(seconds=8)
FROZEN = NOTICED + timedelta(seconds=LONGEST_STALL_S)
"""How long after a transaction was taken back an engine may still ask for a sale: it looks again every five seconds."""


def broken(world: World) -> list[str]:
    """Every invariant that does not hold, in words; empty where all do."""
    checks = (
        _no_exit_beyond_its_debt,
        _no_order_twice,
        _no_order_beyond_its_trades,
        _no_trade_lost,
        _nothing_is_sold_for_what_was_taken_back,
        _nothing_is_bought_for_what_was_taken_back,
        _what_is_back_is_not_voided,
        _every_fill_booked,
        _everything_ends,
        _exposure_is_the_sum,
        _the_day_is_what_was_spent,
    )
    return [*world.violations, *(line for check in checks for line in check(world))]


def _given(world: World, order_hash: str) -> int:
    """What an order gave away in the end, in units of its maker amount."""
    alive = [t for t in world.venue.trades.get(order_hash, ()) if t.status is not TradeStatus.FAILED]
    return sum(
        mul_div(t.shares_micros, t.price_micros, MICRO) if t.side is Side.BUY else t.shares_micros for t in alive
    )


def _no_order_twice(world: World) -> Iterator[str]:
    for copy in world.copies:
        intents = [*copy.past_intents, *([copy.intent] if copy.intent else [])]
        given = sum(_given(world, intent.order_hash) for intent in intents)
        if intents and given > max(intent.fields.maker_amount for intent in intents):
            yield f"I1: copy {copy.copy_id} gave {given}, more than any of its intents"


def _no_order_beyond_its_trades(world: World) -> Iterator[str]:
    """Each of the leader's trades is copied by one order, and at the size that it has: share for share."""
    for copy in world.copies:
        if copy.kind is not CopyKind.ENTRY or not copy.order_hashes:
            continue
        members = [one for one in world.copies if one.member_of == copy.copy_id]
        asked = sum(one.trade.usdc_micros for one in (copy, *members))
        if copy.intent and copy.intent.usdc_micros > asked:
            yield f"GROUP: copy {copy.copy_id} asked for {copy.intent.usdc_micros} of the {asked} of its trades"
        # One whose own order came to nothing may be tried again as part of another.
        filled = [one for one in members if any(_given(world, order) for order in one.order_hashes)]
        yield from (f"GROUP: member {one.copy_id} has filled an order of its own" for one in filled)


def _no_exit_beyond_its_debt(world: World) -> Iterator[str]:
    """By everything that ever matched: a purchase may have failed to settle after its share of it was sold."""
    for exit_ in world.stores.database.exits.values():
        mine = [c for c in world.copies if c.follow_id == exit_.follow_id and c.trade.token_id == exit_.token_id]
        entries = [replace(c, filled_micros=world.matched_micros(c)) for c in mine if c.kind is CopyKind.ENTRY]
        bought = [Lot(c.copy_id, place(c), c.filled_micros) for c in grouping.shares(entries)]
        sold = sum(_filled(world, copy) for copy in mine if copy.kind is CopyKind.EXIT)
        # What was taken back after we had sold for it was owed then; what is sold later is another invariant's.
        owed = owed_micros(bought, [replace(step, removed=False) for step in exit_.steps])
        if sold > owed + LOT_MICROS:
            yield f"EXIT: {sold} sold of the {owed} that were owed"


def _no_trade_lost(world: World) -> Iterator[str]:
    known = [(copy.trade.tx_hash, copy.trade.order_hash) for copy in world.copies if copy.kind is not CopyKind.EXIT]
    for tx, order in world.leader_fills:
        reorg = world.reorgs.get(tx)
        times = sum(known.count((one, order)) for one in {tx, reorg.new_hash if reorg else tx})
        if times > 1 or (times == 0 and (reorg is None or reorg.comes_back)):
            yield f"I2: {times} copies of the leader's fill {tx, order}"


def _nothing_is_sold_for_what_was_taken_back(world: World) -> Iterator[str]:
    gone = {tx: NOON + timedelta(seconds=one.gone_at_s) for tx, one in world.reorgs.items() if not one.comes_back}
    for exit_ in world.stores.database.exits.values():
        steps = [step.key.split("|")[2] for step in exit_.steps]
        if not steps or not all(tx in gone for tx in steps):
            continue
        sales = (copy for copy in world.copies if copy.exit_id == exit_.exit_id and copy.kind is CopyKind.EXIT)
        noticed = max(gone[tx] for tx in steps) + (FROZEN if world.weather.stall else NOTICED)
        late = [copy.detected_at for copy in sales if copy.detected_at > noticed]
        if late:
            yield f"EXIT: sold at {late[0]:%H:%M:%S} for what was taken back"


def _nothing_is_bought_for_what_was_taken_back(world: World) -> Iterator[str]:
    """Where the monitor knew that it was: one that has died since has forgotten, and one whose write failed may never have noted it."""
    if world.weather.database:
        return
    for copy in world.copies:
        reorg = world.reorgs.get(copy.trade.tx_hash)
        if copy.kind is not CopyKind.ENTRY or reorg is None or reorg.comes_back:
            continue
        order = world.stores.database.copies[copy.member_of] if copy.member_of else copy
        known = NOON + timedelta(seconds=max(reorg.gone_at_s, FAULTS_END_S)) + GONE_FOR + NOTICED
        late = [one.attempts[0].at for one in order.intents if one.attempts and one.attempts[0].at > known]
        if late and world.monitor_since <= copy.detected_at:
            yield f"VOID: copy {copy.copy_id} was sent at {late[0]:%H:%M:%S} for what was taken back for good"


def _what_is_back_is_not_voided(world: World) -> Iterator[str]:
    for copy in world.copies:
        reorg = world.reorgs.get(copy.trade.tx_hash)
        if copy.skip_reason == REASON and (reorg is None or reorg.comes_back):
            yield f"VOID: copy {copy.copy_id} is void, and its trade is there"


def _filled(world: World, copy: Copy) -> int:
    trades = (trade for known in copy.order_hashes for trade in world.venue.trades.get(known, ()))
    return sum(trade.shares_micros for trade in trades if trade.status is TradeStatus.CONFIRMED)


def _every_fill_booked(world: World) -> Iterator[str]:
    held: defaultdict[str, int] = defaultdict(int)
    for copy in world.copies:
        if copy.kind is CopyKind.DEBT:
            continue
        real = _filled(world, copy)
        held[copy.trade.token_id] += real if copy.side is Side.BUY else -real
        if copy.filled_micros != real and copy.state in ENDED:
            yield f"{'I3' if copy.filled_micros < real else 'I4'}: copy {copy.copy_id} has {copy.filled_micros}, the venue {real}"
    booked = world.stores.database.accounts[ACCOUNT].exposure.held
    for token, real in held.items():
        ours = booked[token].shares_micros if token in booked else 0
        if ours != real:
            yield f"{'I3' if ours < real else 'I4'}: {ours} of {token[:4]} are booked, {real} are held"


def _everything_ends(world: World) -> Iterator[str]:
    for copy in world.copies:
        if not world.is_over(copy):
            yield f"I5: copy {copy.copy_id} ({copy.kind}) is still {copy.state}"
    for exit_ in world.stores.database.exits.values():
        if exit_.state is ExitState.OPEN and not waits_for_what_was_taken_back(exit_):
            yield f"I5: exit {exit_.exit_id[-20:]} is still open"


def _exposure_is_the_sum(world: World) -> Iterator[str]:
    exposure = world.stores.database.accounts[ACCOUNT].exposure
    aside = {
        copy.copy_id
        for copy in world.copies
        if copy.state is CopyState.FAILED and copy.intent is not None and copy.intent.state is IntentState.PRESUMED_DEAD
    }
    under_way = {copy.copy_id for copy in world.copies if copy.state in {CopyState.EXECUTING, CopyState.EXECUTED}}
    expected = aside | {known for known in under_way if world.stores.database.copies[known].kind is not CopyKind.DEBT}
    if exposure.open.keys() != expected:
        yield f"I8: open {sorted(exposure.open)} but under way or set aside {sorted(expected)}"


def _the_day_is_what_was_spent(world: World) -> Iterator[str]:
    """An order that came to nothing counts against no day, one that may yet have filled does."""
    spent: defaultdict[str, int] = defaultdict(int)
    for copy in world.copies:
        came_to_nothing = copy.member_of or (copy.executed_at is None and copy.failure != "presumed_dead")
        if copy.kind is CopyKind.ENTRY and copy.intent is not None and not came_to_nothing:
            spent[copy.intent.attempts[0].at.date().isoformat()] += copy.intent.usdc_micros
    days = world.stores.database.accounts[ACCOUNT].exposure.days
    counted = {date: day.spent_micros for date, day in days.items() if day.spent_micros}
    if counted != spent:
        yield f"I8: {counted} counted as spent of {dict(spent)}"
