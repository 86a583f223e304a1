"""`Copies` in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain import control, custody, transitions
from services.common.domain.account import AccountState, ExposureChange, PauseScope
from services.common.domain.control import Standing
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.exit import Exit, ExitState, Step, exit_id
from services.common.domain.fill import Fill, LedgerLine, Position, continues
from services.common.domain.intent import Attempt, Intent
from services.common.domain.lifecycle import Actor, CopyState
from services.common.domain.verdict import Decision
from services.common.ports.stores import Begun, unheard
from services.common.store.memory.copy_views import MemoryCopyViews
from services.common.store.memory.database import MemoryDatabase

RANK = {CopyKind.DEBT: 0, CopyKind.EXIT: 1, CopyKind.ENTRY: 2}


class MemoryCopies(MemoryCopyViews):
    """`user_activities` in memory; the meaning of each method is in the port."""

    async def insert(self, copies: Sequence[Copy], on_new: Callable[[Copy], None] = unheard) -> tuple[str, ...]:
        await self._db.turn()
        new = [copy for copy in copies if self._db.add(transitions.detected(copy))]
        for copy in new:
            on_new(copy)
        return tuple(copy.copy_id for copy in new)

    async def claim(
        self,
        account_id: str,
        worker: str,
        lease: timedelta,
        *,
        fresh: bool,
        barred_leaders: Sequence[str] = (),
        barred_markets: Sequence[str] = (),
        only_exits: bool = False,
        busy_tokens: Sequence[str] = (),
        in_hand: Sequence[str] = (),
        on_taken: Callable[[Copy], None] = unheard,
    ) -> Copy | None:
        await self._db.turn()
        now = self._db.now()
        waiting = map(self._db.copies.__getitem__, self._db.index.claimable(account_id))
        due = [copy for copy in waiting if copy.claimable_at is not None and copy.claimable_at <= now]
        for copy in sorted(due, key=_urgency):
            allowed = _may(copy, fresh, barred_leaders, barred_markets, only_exits) and not _busy(copy, busy_tokens)
            if allowed and not self._waits(copy, barred_leaders, in_hand):
                claimed = transitions.claimed(copy, worker, self._db.later(lease))
                self._db.put(claimed)
                on_taken(claimed)
                return claimed
        return None

    def _waits(self, copy: Copy, barred_leaders: Sequence[str], in_hand: Sequence[str]) -> bool:
        if copy.kind is not CopyKind.ENTRY or copy.state is CopyState.EXECUTING:
            return False
        others = self._db.by_token.get((copy.account_id, copy.trade.token_id), ())
        earlier = (self._db.copies[other] for other in others if other not in in_hand)
        return any(transitions.blocks(other, copy, barred_leaders) for other in earlier)

    async def renew(self, ref: CopyRef, lease: timedelta) -> bool:
        await self._db.turn()
        held = self._held(ref)
        if held is None or held.state not in {CopyState.CLAIMED, CopyState.EXECUTING}:
            return False
        self._db.put(replace(held, claimable_at=self._db.later(lease)))
        return True

    async def release(self, ref: CopyRef, after: timedelta, now: datetime, decision: Decision | None = None) -> bool:
        due = self._db.later(after)
        return await self._write(ref, CopyState.CLAIMED, lambda copy: transitions.released(copy, due, now, decision))

    async def park(self, ref: CopyRef, step: Step, now: datetime) -> Exit | None:
        await self._db.turn()
        held = self._held(ref)
        if held is None or held.state is not CopyState.CLAIMED:
            return None
        name = exit_id(held.follow_id, held.trade.token_id)
        after = transitions.owing(held, self._db.exits.get(name), step, now)
        if after.state is ExitState.OPEN:
            self._db.exits[name] = after
            self._db.put(transitions.parked(held, name, now))
        return after

    async def skip(self, ref: CopyRef, reason: str, decision: Decision | None, now: datetime) -> bool:
        return await self._undecided(ref, lambda copy: transitions.skipped(copy, reason, decision, now), now)

    async def refuse(self, ref: CopyRef, failure: str, now: datetime) -> bool:
        return await self._undecided(ref, lambda copy: transitions.refused(copy, failure, now), now)

    async def _undecided(self, ref: CopyRef, change: Callable[[Copy], Copy], now: datetime) -> bool:
        done = await self._write(ref, CopyState.CLAIMED, change)
        if done:
            self._lead(ref.copy_id, now)
        return done

    async def void(self, copy_id: str, reason: str, now: datetime) -> bool:
        await self._db.turn()
        copy = self._db.copies.get(copy_id)
        after = transitions.voided(copy, reason, now) if copy and copy.state is CopyState.DETECTED else None
        if after is not None:
            self._db.put(after)
        return after is not None

    async def begin(
        self,
        copy: Copy,
        account_seq: int,
        intent: Intent,
        decision: Decision,
        change: ExposureChange,
        members: Sequence[str],
        now: datetime,
    ) -> Begun:
        await self._db.turn()
        held = self._held(copy.ref)
        if held is not None and held.intent is not None and held.intent.order_hash == intent.order_hash:
            return Begun.DONE
        if held is None or held.state is not CopyState.CLAIMED or not self._alive(held):
            return Begun.CLAIM_LOST
        if replace(held, claimable_at=copy.claimable_at) != copy:
            # MongoDB writes what it is given, unread: whoever changed it on the way would change what is stored.
            raise ValueError(f"{copy.copy_id}: an intent is begun on the copy as it was claimed")
        joining = [one for one in map(self._db.copies.get, members) if one is not None]
        if copy.kind is CopyKind.ENTRY and not all(_joins(one, copy.copy_id) for one in joining):
            return Begun.ACCOUNT_MOVED
        if self._db.accounts[copy.account_id].seq != account_seq:
            return Begun.ACCOUNT_MOVED
        self._db.take_hash(held, intent.order_hash)
        self._db.put(transitions.begun(held, intent, decision, now))
        self._db.expose(copy.account_id, change, attempted=True)
        for member in joining:
            if member.state is CopyState.DETECTED:
                self._db.put(transitions.joined(member, copy.copy_id, now))
        return Begun.DONE

    async def sign(self, ref: CopyRef, order_hash: str, signature: str) -> bool:
        sealed = custody.checked(signature)

        def signed(copy: Copy) -> Copy | None:
            if copy.intent is None or copy.intent.order_hash != order_hash:
                return None
            return transitions.signed(copy, sealed)

        return await self._write(ref, CopyState.EXECUTING, signed)

    async def forget_signatures(self, now: datetime, limit: int = 500) -> int:
        await self._db.turn()
        due = ((at, copy) for copy in self._db.copies.values() if (at := custody.forget_at(copy)) and at <= now)
        gone = sorted(due, key=lambda one: one[0])[:limit]
        for _, copy in gone:
            self._db.put(custody.forgotten(copy))
        return len(gone)

    async def journal(self, ref: CopyRef, attempt: Attempt, now: datetime, standing: Standing | None = None) -> bool:
        await self._db.turn()
        copy = self._held(ref)
        if copy is None or copy.intent is None or copy.state is not CopyState.EXECUTING or not self._alive(copy):
            return False
        if any(known.number == attempt.number for known in copy.intent.attempts):
            return copy.intent.attempts[-1] == attempt
        account = self._db.accounts[copy.account_id]
        if _stopped(self._db, copy) or (standing is not None and not control.admits(account, standing)):
            return False
        self._db.put(transitions.journaled(copy, attempt, now))
        self._db.expose(copy.account_id, ExposureChange(now), attempted=True)
        return True

    async def record(self, ref: CopyRef, attempt: Attempt, claimable_after: timedelta | None, now: datetime) -> bool:
        due = None if claimable_after is None else self._db.later(claimable_after)
        return await self._write(ref, CopyState.EXECUTING, lambda copy: transitions.recorded(copy, attempt, due, now))

    async def looked(self, ref: CopyRef, empty: bool, claimable_after: timedelta, now: datetime) -> bool:
        return await self._write(
            ref, CopyState.EXECUTING, lambda copy: transitions.looked(copy, empty, self._db.later(claimable_after), now)
        )

    async def execute(
        self,
        ref: CopyRef,
        attempt: Attempt | None,
        filled_micros: int,
        paid_micros: int,
        fee_micros: int,
        change: ExposureChange,
        now: datetime,
    ) -> bool:
        sums = (filled_micros, paid_micros, fee_micros)
        done = await self._write(
            ref, CopyState.EXECUTING, lambda copy: transitions.executed(copy, Actor.ENGINE, attempt, sums, now)
        )
        if done:
            self._db.expose(ref.account_id, change)
            self._lead(ref.copy_id, now)
        return done

    async def fail(
        self,
        ref: CopyRef,
        attempt: Attempt | None,
        failure: str,
        needs_review: bool,
        final: bool,
        change: ExposureChange | None,
        watch_until: datetime | None,
        now: datetime,
        retry_after: timedelta | None = None,
    ) -> bool:
        def gone(copy: Copy) -> Copy:
            after = transitions.failed(copy, attempt, failure, needs_review, final, watch_until, now)
            return after if retry_after is None else transitions.retried(after, self._db.later(retry_after), now)

        done = await self._write(ref, CopyState.EXECUTING, gone)
        if done and change is not None:
            self._db.expose(ref.account_id, change)
        if done:
            self._lead(ref.copy_id, now)
        return done

    async def close_member(self, copy_id: str, state: CopyState, failure: str, now: datetime) -> bool:
        await self._db.turn()
        copy = self._db.copies.get(copy_id)
        if copy is None or copy.state not in transitions.CLOSED_FROM.get(state, ()):
            return False
        self._db.put(transitions.closed(copy, state, failure, now))
        return True

    async def settle(
        self,
        copy_id: str,
        fence: int,
        state: CopyState,
        fills: Sequence[Fill],
        lines: Sequence[LedgerLine],
        positions: Sequence[Position],
        filled_micros: int,
        paid_micros: int,
        fee_micros: int,
        change: ExposureChange,
        needs_review: bool,
        now: datetime,
    ) -> bool:
        await self._db.turn()
        copy = self._db.copies.get(copy_id)
        if copy is None or copy.fence != fence:
            return False
        after = transitions.settled(copy, state, (filled_micros, paid_micros, fee_micros), needs_review, now)
        if not self._current(lines, positions):
            return False
        self._db.put(after)
        self._db.fills.update({(fill.account_id, fill.trade_id, fill.order_hash): fill for fill in fills})
        self._db.lines.update({(line.account_id, line.trade_id, line.order_hash): line for line in lines})
        for position in positions:
            self._db.positions[position.account_id, position.token_id] = position
            self._db.position_feed.tell(position)
        self._db.expose(copy.account_id, change)
        self._lead(copy_id, now)
        return True

    def _current(self, lines: Sequence[LedgerLine], positions: Sequence[Position]) -> bool:
        keys = [(line.account_id, line.trade_id, line.order_hash) for line in lines]
        known = [self._db.lines[key] for key in keys if key in self._db.lines]
        stored = [self._db.positions.get((after.account_id, after.token_id)) for after in positions]
        return all(continues(before, after, lines, known) for before, after in zip(stored, positions, strict=True))

    async def close_watch(self, copy_id: str, fence: int, change: ExposureChange, now: datetime) -> bool:
        await self._db.turn()
        copy = self._db.copies.get(copy_id)
        if copy is None or copy.fence != fence:
            return False
        self._db.put(transitions.forgotten(copy, now))
        self._db.expose(copy.account_id, change)
        return True

    async def touch(self, copy_id: str, now: datetime) -> None:
        await self._db.turn()
        self._db.touched[copy_id] = now

    async def acknowledge(self, copy_id: str, by: str, note: str, now: datetime) -> Copy | None:
        await self._db.turn()
        known = self._db.copies.get(copy_id)
        after = transitions.acknowledged(known, by, note, now) if known else None
        if after is not None:
            self._db.put(after)
        return after and self._db.copies[copy_id]

    def _held(self, ref: CopyRef) -> Copy | None:
        copy = self._db.copies.get(ref.copy_id)
        return copy if copy is not None and copy.fence == ref.fence else None

    def _alive(self, copy: Copy) -> bool:
        return copy.claimable_at is not None and copy.claimable_at > self._db.now()

    async def _write(self, ref: CopyRef, origin: CopyState, change: Callable[[Copy], Copy | None]) -> bool:
        await self._db.turn()
        copy = self._held(ref)
        if copy is None or copy.state is not origin:
            return False
        after = change(copy)
        if after is not None:
            self._db.put(after)
        return after is not None

    def _lead(self, copy_id: str, now: datetime) -> None:
        leader = self._db.copies[copy_id]
        for member in self._members(leader):
            after = transitions.followed(member, leader, now)
            if after is not None:
                self._db.put(after)

    def _members(self, leader: Copy) -> Iterable[Copy]:
        if leader.kind is not CopyKind.EXIT:
            group = map(self._db.copies.__getitem__, self._db.index.of_group(leader.account_id, leader.group_key))
            return [copy for copy in group if copy.member_of == leader.copy_id]
        found = map(self._db.copies.__getitem__, self._db.index.of_exit(leader.exit_id))
        return [copy for copy in found if copy.member_of]


def _urgency(copy: Copy) -> tuple[int, datetime, tuple[int, int]]:
    return RANK[copy.kind], copy.turn, copy.chain_place


def _may(
    copy: Copy, fresh: bool, barred_leaders: Sequence[str], barred_markets: Sequence[str], only_exits: bool
) -> bool:
    if copy.state is CopyState.EXECUTING:
        return copy.intent is not None
    if not fresh or copy.state not in {CopyState.DETECTED, CopyState.CLAIMED}:
        return False
    if copy.kind is not CopyKind.ENTRY:
        return True
    return not only_exits and copy.trade.leader not in barred_leaders and copy.trade.condition_id not in barred_markets


def _joins(member: Copy, leader: str) -> bool:
    return member.state is CopyState.DETECTED or member.member_of == leader


def _busy(copy: Copy, tokens: Sequence[str]) -> bool:
    ordered = copy.kind is not CopyKind.DEBT and copy.state is not CopyState.EXECUTING
    return ordered and copy.trade.token_id in tokens


def _stopped(database: MemoryDatabase, copy: Copy) -> bool:
    account = database.accounts[copy.account_id]
    if account.state is AccountState.HALTED:
        return True
    return any(pause.scope is PauseScope.ALL for pause in account.pauses)
