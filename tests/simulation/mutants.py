"""The protocol with one rule taken away. Each has to break an invariant on some seed, or the simulation proves nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.domain import transitions
from services.common.domain.control import Standing
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.fill import Fill, TradeStatus
from services.common.domain.follow import Grouping
from services.common.domain.intent import Attempt, Intent, IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.recent_order import market_of
from services.common.polymarket import classify
from services.common.polymarket.order import order_hash
from services.common.ports.stores import Begun
from services.common.ports.venue import Answer, VenueTrade
from services.common.store.memory.copies import MemoryCopies
from services.common.store.memory.database import MemoryDatabase
from services.common.store.memory.exits import MemoryExits
from services.engine import exits
from services.engine.claims import Claim
from services.engine.executor import Executor
from services.engine.gatekeeper import Gatekeeper
from services.engine.resolve import Resolver
from services.monitor.sources.chain import ChainSource, hint
from services.reconciler import evidence, settle
from services.reconciler.evidence import Settled
from tests.simulation import world
from tests.simulation.weather import Weather

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]

MUTANTS: dict[str, Mutant] = {}
STORMY: set[str] = set()
"""Variants that break something so seldom that they are looked for where nothing but the network is bad, and that very."""


CROWDED: set[str] = set()
"""Variants that need a leader who buys, sells and buys again while one group waits."""


def mutant(apply: Mutant) -> Mutant:
    MUTANTS[apply.__name__] = apply
    return apply


def in_a_storm(apply: Mutant) -> Mutant:
    STORMY.add(apply.__name__)
    return apply


def in_a_crowd(apply: Mutant) -> Mutant:
    CROWDED.add(apply.__name__)
    return apply


def storm(patch: Patch, name: str) -> None:
    """The circumstances that a variant is looked for in, for the protocol itself as well."""
    if name in CROWDED:
        patch.setattr(world, "PAUSES_S", (0.2, 1.0))
        patch.setattr(world, "TOKENS", (world.TOKEN,))
        patch.setattr(world, "GROUPINGS", (Grouping.TOKEN,))
        patch.setattr(world, "GROUP_WINDOWS_MS", (5_000, 12_000))
    if name in STORMY:
        drawn = staticmethod(lambda seed, random: Weather(seed, random, network=0.6))
        patch.setattr(Weather, "drawn", drawn)


async def _sign_anew(executor: Executor, claim: Claim, copy: Copy, intent: Intent) -> None:
    """A new order for the same copy, three times at most: what no rule of ours allows."""
    database: MemoryDatabase = executor._stores.copies._port._db  # type: ignore[attr-defined]
    stored = database.copies[copy.copy_id]
    if stored.fence != claim.ref.fence or stored.state is not CopyState.EXECUTING or len(stored.past_intents) >= 3:
        return
    fields = replace(intent.fields, salt=intent.fields.salt + 1)
    attempts = (Attempt(1, executor._lookout.now()),)
    fresh = replace(intent, fields=fields, order_hash=order_hash(fields), signature="", attempts=attempts)
    again = replace(stored, intent=fresh, past_intents=(*stored.past_intents, intent))
    database.take_hash(again, fresh.order_hash)
    database.put(again)
    await executor.send(claim, again, fresh)


@mutant
def a_timeout_is_signed_anew(patch: Patch) -> None:
    answered = Executor._answered

    async def mutated(self: Executor, claim: Claim, copy: Copy, intent: Intent, answer: Answer) -> None:
        if answer.outcome is Outcome.UNKNOWN:
            await _sign_anew(self, claim, copy, intent)
        await answered(self, claim, copy, intent, answer)

    patch.setattr(Executor, "_answered", mutated)


@mutant
def an_order_is_sent_before_its_intent_is_stored(patch: Patch) -> None:
    begin = Executor.begin

    async def mutated(self: Executor, claim: Claim, copy: Copy, approved: Any, plan: Any, *rest: Any) -> Any:
        await self._clob.post(plan.intent, claim.now() + 1)
        return await begin(self, claim, copy, approved, plan, *rest)

    patch.setattr(Executor, "begin", mutated)


@mutant
def not_found_is_dead_and_signed_anew(patch: Patch) -> None:
    async def mutated(self: Resolver, claim: Claim, copy: Copy, intent: Intent) -> None:
        await _sign_anew(self._executor, claim, copy, intent)

    patch.setattr(Resolver, "_nothing", mutated)


def _impatient(patch: Patch, watch_for: timedelta) -> None:
    patient = replace(world.TIMING, give_up_after=timedelta(0), look_again=timedelta(seconds=1), watch_for=watch_for)
    patch.setattr(world, "TIMING", patient)


def _gives_up_and_signs_anew(patch: Patch) -> None:
    async def mutated(self: Resolver, claim: Claim, copy: Copy) -> None:
        assert copy.intent is not None
        await _sign_anew(self._executor, claim, copy, copy.intent)

    patch.setattr(Resolver, "_give_up", mutated)


@mutant
@in_a_storm
def an_impatient_timer_gives_up_and_signs_anew(patch: Patch) -> None:
    _impatient(patch, world.TIMING.watch_for)
    _gives_up_and_signs_anew(patch)


@mutant
@in_a_storm
def an_impatient_timer_gives_up_and_nobody_watches(patch: Patch) -> None:
    _impatient(patch, timedelta(0))


@mutant
@in_a_storm
def a_patient_timer_gives_up_and_signs_anew(patch: Patch) -> None:
    _gives_up_and_signs_anew(patch)


@mutant
@in_a_storm
def a_patient_timer_gives_up_and_nobody_watches(patch: Patch) -> None:
    patch.setattr(world, "TIMING", replace(world.TIMING, watch_for=timedelta(0)))


@mutant
def a_server_error_is_a_rejection(patch: Patch) -> None:
    of_response = classify.of_response

    def mutated(status: int, body: bytes, intent: Intent) -> Answer:
        return Answer(Outcome.REJECTED, status) if status >= 500 else of_response(status, body, intent)

    patch.setattr(classify, "of_response", mutated)


@mutant
@in_a_storm
def a_duplicate_is_a_rejection(patch: Patch) -> None:
    answered = Executor._answered

    async def mutated(self: Executor, claim: Claim, copy: Copy, intent: Intent, answer: Answer) -> None:
        if answer.outcome is Outcome.DUPLICATED:
            attempt = replace(intent.attempts[-1], outcome=Outcome.REJECTED)
            await self.fail(claim, copy, intent, attempt, "rejected")
        else:
            await answered(self, claim, copy, intent, answer)

    patch.setattr(Executor, "_answered", mutated)


@mutant
def matched_is_final(patch: Patch) -> None:
    def believed(copy: Copy, trades: Sequence[VenueTrade], logs: Any, finalized: int) -> Settled:
        return Settled(
            tuple(
                Fill(
                    copy.account_id,
                    trade.trade_id,
                    trade.order_hash,
                    copy.copy_id,
                    trade.condition_id,
                    trade.token_id,
                    trade.side,
                    trade.shares_micros,
                    trade.shares_micros * trade.price_micros // 1_000_000,
                    0,
                    TradeStatus.CONFIRMED,
                    trade.matched_at,
                    booked=True,
                )
                for trade in trades
            )
        )

    patch.setattr(settle, "are_over", lambda trades: True)
    patch.setattr(settle, "weigh", believed)


@mutant
def keys_are_not_unique(patch: Patch) -> None:
    add = MemoryDatabase.add

    def mutated(self: MemoryDatabase, copy: Copy) -> bool:
        name = f"{copy.copy_id}#{len(self.copies)}" if copy.copy_id in self.copies else copy.copy_id
        return add(self, replace(copy, copy_id=name, idempotency_key=name))

    patch.setattr(MemoryDatabase, "add", mutated)


@mutant
def the_cursor_moves_before_the_copies_exist(patch: Patch) -> None:
    async def sweep(self: ChainSource) -> int:
        leaders = self._roster.leaders
        cursors = [leader for leader in await self._stores.leaders.all() if leader.address in leaders]
        last = (await self._chain.head()).number
        first = min((cursor.cursor_block for cursor in cursors), default=last) + 1
        await self._advance(cursors, last)
        for sighting in await self._chain.sightings_of(leaders, first, last):
            await self._watch.see(hint(sighting, self._clock, "sweep"))
        return last

    patch.setattr(ChainSource, "sweep", sweep)


def _ends_it_all(patch: Patch, ending: str) -> None:
    original = Executor._came_to_nothing

    async def mutated(self: Executor, claim: Claim, copy: Copy, intent: Intent, attempt: Attempt, failure: str) -> None:
        if failure == ending:
            await self.fail(claim, copy, intent, attempt, failure)
        else:
            await original(self, claim, copy, intent, attempt, failure)

    patch.setattr(Executor, "_came_to_nothing", mutated)


@mutant
def one_rejection_ends_the_order(patch: Patch) -> None:
    _ends_it_all(patch, "rejected")


@mutant
@in_a_storm
def a_zero_fill_is_final_while_an_attempt_is_unanswered(patch: Patch) -> None:
    _ends_it_all(patch, "unmatched")


def _careless(patch: Patch) -> None:
    """Another order is made for an entry that has ended, whatever is known of the last one's attempts."""

    def anyway(copy: Copy, attempts: Sequence[Attempt], most_age_ms: int, now: Any, waits: Any) -> Any:
        may = copy.kind is CopyKind.ENTRY and copy.retry_count < len(waits)
        return waits[copy.retry_count] if may else None

    patch.setattr("services.engine.executor.retry_after", anyway)
    patch.setattr(Intent, "is_final", property(lambda self: self.state is IntentState.FINAL))


@mutant
@in_a_storm
def one_rejection_is_followed_by_another_order(patch: Patch) -> None:
    _ends_it_all(patch, "rejected")
    _careless(patch)


@mutant
@in_a_storm
def a_zero_fill_is_followed_by_another_order_while_an_attempt_is_unanswered(patch: Patch) -> None:
    _ends_it_all(patch, "unmatched")
    _careless(patch)


@mutant
def what_was_given_up_is_followed_by_another_order(patch: Patch) -> None:
    async def mutated(self: Resolver, claim: Claim, copy: Copy) -> None:
        assert copy.intent is not None
        await self._executor.fail(claim, copy, copy.intent, None, "presumed_dead")

    patch.setattr(Resolver, "_give_up", mutated)
    patch.setattr(world, "TIMING", replace(world.TIMING, retry_after=(timedelta(seconds=1),)))
    _careless(patch)


@mutant
def writes_carry_no_fence(patch: Patch) -> None:
    def held(self: MemoryCopies, ref: CopyRef) -> Copy | None:
        stored = self._db.copies.get(ref.copy_id)
        return None if stored is None else replace(stored, fence=ref.fence)

    patch.setattr(MemoryCopies, "_held", held)
    patch.setattr(MemoryCopies, "_alive", lambda self, copy: True)


@mutant
def nothing_is_ever_given_up(patch: Patch) -> None:
    patch.setattr(Resolver, "_is_hopeless", lambda self, intent: False)


@mutant
def the_accounts_line_is_not_compared(patch: Patch) -> None:
    begin = MemoryCopies.begin

    async def mutated(self: MemoryCopies, copy: Copy, account_seq: int, *rest: Any) -> Begun:
        await self._db.turn()
        return await begin(self, copy, self._db.accounts[copy.account_id].seq, *rest)

    patch.setattr(MemoryCopies, "begin", mutated)


@mutant
def a_resend_does_not_look_at_the_stop(patch: Patch) -> None:
    patch.setattr("services.common.store.memory.copies._stopped", lambda database, copy: False)
    patch.setattr(Gatekeeper, "may_resend", _always)
    patch.setattr("services.common.domain.control.admits", lambda account, standing: True)


async def _always(self: Gatekeeper, copy: Copy) -> Standing:
    return Standing(self._version, copy.trade.leader, market_of(copy), entry=copy.side is Side.BUY)


@mutant
def an_exit_forgets_what_it_sold(patch: Patch) -> None:
    patch.setattr(exits, "sold_micros", lambda copies: 0)


@mutant
def attempts_of_an_exit_are_opened_side_by_side(patch: Patch) -> None:
    async def open_attempt(self: MemoryExits, exit_id: str, version: int, attempt: Copy) -> bool:
        await self._db.turn()
        fresh = replace(attempt, copy_id=f"{attempt.copy_id}#{len(self._db.copies)}")
        return self._db.add(transitions.detected(replace(fresh, idempotency_key=fresh.copy_id)))

    patch.setattr(MemoryExits, "open_attempt", open_attempt)


@mutant
def a_failed_settlement_is_believed(patch: Patch) -> None:
    weigh = evidence.weigh

    def mutated(copy: Copy, trades: Sequence[VenueTrade], logs: Any, finalized: int) -> Any:
        found = weigh(copy, trades, logs, finalized)
        if isinstance(found, Settled):
            believed = (replace(fill, status=TradeStatus.CONFIRMED, booked=True) for fill in found.fills)
            return Settled(tuple(believed))
        return found

    patch.setattr(settle, "weigh", mutated)


@mutant
def an_order_takes_no_members_with_it(patch: Patch) -> None:
    patch.setattr("services.common.store.memory.copies._joins", lambda member, leader: True)
    patch.setattr(transitions, "joined", lambda member, leader, now: member)


@mutant
def members_do_not_follow_their_order(patch: Patch) -> None:
    patch.setattr("services.common.domain.transitions.FATES", transitions.SALES)


@mutant
@in_a_crowd
def an_exit_takes_a_group_for_its_eldest(patch: Patch) -> None:
    patch.setattr("services.engine.stock.shares", iter)
