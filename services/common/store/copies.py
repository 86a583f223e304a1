"""`Copies` in MongoDB."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import BulkWriteError

from services.common.crashpoints import crashpoint
from services.common.domain import custody, transitions
from services.common.domain.account import ExposureChange
from services.common.domain.control import Standing
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.exit import Exit, ExitState, Step, exit_id
from services.common.domain.fill import Fill, LedgerLine, Position
from services.common.domain.intent import Attempt, Intent
from services.common.domain.lifecycle import Actor, CopyState
from services.common.domain.verdict import Decision
from services.common.ports.stores import Begun, StoreUnavailable, unheard
from services.common.store import activities, books, exits, exposures, trails
from services.common.store.claims import MongoClaims, from_now
from services.common.store.indexes import EPOCH
from services.common.store.session import Client, Collection, Conflict, Database, Session, guarded, transact

Write = Callable[[Copy], Copy | None]

DUPLICATE = 11000
ALIVE = {"$expr": {"$gt": ["$claimableAt", "$$NOW"]}}
"""The lease has not ended."""


class MongoCopies(MongoClaims):
    """`user_activities`; the meaning of each method is in the port."""

    def __init__(self, client: Client, database: Database) -> None:
        super().__init__(database["user_activities"])
        self._client = client
        self._database = database
        self._exits = database["exits"]

    async def insert(self, copies: Sequence[Copy], on_new: Callable[[Copy], None] = unheard) -> tuple[str, ...]:
        if not copies:
            return ()
        made = [activities.write(transitions.detected(copy), 1) for copy in copies]
        new = await _insert(self._newest, made)
        for copy in copies:
            if copy.copy_id in new:
                on_new(copy)
        # Durable now; and stored once more where a change of the primary has lost them.
        new |= await _insert(self._copies, made)
        return tuple(copy.copy_id for copy in copies if copy.copy_id in new)

    async def release(self, ref: CopyRef, after: timedelta, now: datetime, decision: Decision | None = None) -> bool:
        def released(copy: Copy) -> Copy:
            return transitions.released(copy, now + after, now, decision)

        return await self._write(ref, CopyState.CLAIMED, released, after)

    async def park(self, ref: CopyRef, step: Step, now: datetime) -> Exit | None:
        async def work(session: Session) -> Exit | None:
            found = await self._read(ref.copy_id, session)
            if found is None or found[0].fence != ref.fence or found[0].state is not CopyState.CLAIMED:
                return None
            debt, rev = found
            name = exit_id(debt.follow_id, debt.trade.token_id)
            stored = await self._exits.find_one({"_id": name}, session=session)
            known = exits.read(stored) if stored else None
            after = transitions.owing(debt, known, step, now)
            if after.state is not ExitState.OPEN:
                return after
            done = await exits.put(self._exits, known.version if known else 0, after, session)
            if not done or not await self._replace(transitions.parked(debt, name, now), rev, session):
                raise Conflict
            return after

        return await transact(self._client, work)

    async def skip(self, ref: CopyRef, reason: str, decision: Decision | None, now: datetime) -> bool:
        return await self._undecided(ref, lambda copy: transitions.skipped(copy, reason, decision, now), now)

    async def refuse(self, ref: CopyRef, failure: str, now: datetime) -> bool:
        return await self._undecided(ref, lambda copy: transitions.refused(copy, failure, now), now)

    async def _undecided(self, ref: CopyRef, change: Callable[[Copy], Copy], now: datetime) -> bool:
        found = await self.get(ref.copy_id)
        if found is not None and found.group_key and found.intent is not None:
            return await self._conclude(ref, change, None, now, origin=CopyState.CLAIMED)
        return await self._write(ref, CopyState.CLAIMED, change)

    async def void(self, copy_id: str, reason: str, now: datetime) -> bool:
        return await self._update(copy_id, CopyState.DETECTED, lambda copy: transitions.voided(copy, reason, now))

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
        async def work(session: Session) -> Begun:
            if not await exposures.move(
                self._database, copy.account_id, change, session, seq=account_seq, attempted=True
            ):
                return _not_begun(await self._read(copy.copy_id, session), copy.ref, intent.order_hash)
            if not await self._take_up(transitions.begun(copy, intent, decision, now), session):
                await session.abort_transaction()
                # Only what is durable is done.
                why = _not_begun(await self._read(copy.copy_id), copy.ref, intent.order_hash)
                return why if why is Begun.DONE else Begun.CLAIM_LOST
            for member in members:
                if not await self._join(member, copy, now, session):
                    await session.abort_transaction()
                    return Begun.ACCOUNT_MOVED
            if members:
                crashpoint("mid_group")
            return Begun.DONE

        return await transact(self._client, work, lambda: crashpoint("mid_intent"))

    async def _take_up(self, after: Copy, session: Session) -> bool:
        # The fence says that the copy is as it was claimed, so it need not be read again; its lease may have been renewed since.
        held = {"_id": after.copy_id, "fence": after.fence, "state": "claimed", **ALIVE}
        after = await self._shortened(after)
        whole = activities.write(after, 0)
        changed = {name: value for name, value in whole.items() if name not in {"_id", "rev", "claimableAt"}}
        done = await self._copies.update_one(held, {"$set": changed, "$inc": {"rev": 1}}, session=session)
        return done.matched_count == 1

    async def _join(self, member: str, leader: Copy, now: datetime, session: Session) -> bool:
        """Whether the member is this copy's. An order was made for what its entries are, so each of them has to be; a debt may go."""
        found = await self._read(member, session)
        if found is None or found[0].state is not CopyState.DETECTED:
            taken = found is not None and found[0].member_of == leader.copy_id
            return taken or leader.kind is not CopyKind.ENTRY
        return await self._replace(transitions.joined(found[0], leader.copy_id, now), found[1], session)

    async def sign(self, ref: CopyRef, order_hash: str, signature: str) -> bool:
        # One named field on the way to the venue: nothing needs to be read first.
        sealed = custody.checked(signature)
        held = {"_id": ref.copy_id, "fence": ref.fence, "state": "executing", "intent.orderHash": order_hash}
        async with guarded():
            done = await self._copies.update_one(held, {"$set": {"intent.signature": sealed}, "$inc": {"rev": 1}})
        return done.matched_count == 1

    async def forget_signatures(self, now: datetime, limit: int = 500) -> int:
        due = {"forgetAt": {"$gt": EPOCH, "$lte": now}}
        gone = {"intent.signature": "", "pastIntents.$[].signature": "", "forgetAt": None}
        async with guarded():
            found = await self._copies.find(due, {"_id": 1}, sort=[("forgetAt", 1)], limit=limit).to_list(None)
            wanted = {"_id": {"$in": [document["_id"] for document in found]}, **due}
            done = await self._copies.update_many(wanted, {"$set": gone, "$inc": {"rev": 1}})
        return done.modified_count

    async def journal(self, ref: CopyRef, attempt: Attempt, now: datetime, standing: Standing | None = None) -> bool:
        async def work(session: Session) -> bool:
            found = await self._read(ref.copy_id, session)
            if found is None or found[0].fence != ref.fence or found[0].state is not CopyState.EXECUTING:
                return False
            copy, revision = found
            if copy.intent is None:
                return False
            if any(known.number == attempt.number for known in copy.intent.attempts):
                return copy.intent.attempts[-1] == attempt and await self._alive(ref.copy_id, session)
            if not await exposures.resent(self._database, copy.account_id, now, standing, session):
                return False
            if not await self._replace(transitions.journaled(copy, attempt, now), revision, session, alive=True):
                await session.abort_transaction()
                return False
            return True

        return await transact(self._client, work)

    async def record(self, ref: CopyRef, attempt: Attempt, claimable_after: timedelta | None, now: datetime) -> bool:
        due = None if claimable_after is None else now + claimable_after
        return await self._write(
            ref, CopyState.EXECUTING, lambda copy: transitions.recorded(copy, attempt, due, now), claimable_after
        )

    async def looked(self, ref: CopyRef, empty: bool, claimable_after: timedelta, now: datetime) -> bool:
        due = now + claimable_after
        return await self._write(
            ref, CopyState.EXECUTING, lambda copy: transitions.looked(copy, empty, due, now), claimable_after
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
        return await self._conclude(
            ref, lambda copy: transitions.executed(copy, Actor.ENGINE, attempt, sums, now), change, now
        )

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
            return after if retry_after is None else transitions.retried(after, now + retry_after, now)

        return await self._conclude(ref, gone, change, now, due_in=retry_after)

    async def _conclude(
        self,
        ref: CopyRef,
        change: Callable[[Copy], Copy],
        exposure: ExposureChange | None,
        now: datetime,
        origin: CopyState = CopyState.EXECUTING,
        due_in: timedelta | None = None,
    ) -> bool:
        async def work(session: Session) -> bool:
            found = await self._read(ref.copy_id, session)
            if found is None or found[0].fence != ref.fence or found[0].state is not origin:
                return False
            after = change(found[0])
            if not await self._replace(after, found[1], session, due_in=due_in):
                raise Conflict
            if exposure is not None:
                await exposures.move(self._database, after.account_id, exposure, session)
            await self._lead(after, now, session)
            return True

        return await transact(self._client, work)

    async def close_member(self, copy_id: str, state: CopyState, failure: str, now: datetime) -> bool:
        def closed(copy: Copy) -> Copy | None:
            return transitions.closed(copy, state, failure, now)

        origins = transitions.CLOSED_FROM.get(state, ())
        return any([await self._update(copy_id, origin, closed) for origin in origins])

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
        async def work(session: Session) -> bool:
            found = await self._read(copy_id, session)
            if found is None or found[0].fence != fence:
                return False
            after = transitions.settled(found[0], state, (filled_micros, paid_micros, fee_micros), needs_review, now)
            if not await books.current(self._database, lines, positions, session):
                return False
            if not await self._replace(after, found[1], session):
                raise Conflict
            await books.write(self._database, fills, lines, positions, session)
            await exposures.move(self._database, after.account_id, change, session)
            await self._lead(after, now, session)
            return True

        return await transact(self._client, work)

    async def close_watch(self, copy_id: str, fence: int, change: ExposureChange, now: datetime) -> bool:
        async def work(session: Session) -> bool:
            found = await self._read(copy_id, session)
            if found is None or found[0].fence != fence:
                return False
            after = transitions.forgotten(found[0], now)
            if not await self._replace(after, found[1], session):
                raise Conflict
            await exposures.move(self._database, after.account_id, change, session)
            return True

        return await transact(self._client, work)

    async def touch(self, copy_id: str, now: datetime) -> None:
        async with guarded():
            await self._copies.update_one({"_id": copy_id}, {"$set": {"lookedAt": now}})

    async def acknowledge(self, copy_id: str, by: str, note: str, now: datetime) -> Copy | None:
        async with guarded():
            while (found := await self._read_newest(copy_id)) is not None:
                after = transitions.acknowledged(found[0], by, note, now)
                if after is None:
                    return None
                if await self._replace(after, found[1]):
                    return transitions.sealed(after)
        return None

    async def _read(self, copy_id: str, session: Session | None = None) -> tuple[Copy, int] | None:
        found = await self._copies.find_one({"_id": copy_id}, session=session)
        return (activities.read(found), found["rev"]) if found else None

    async def _read_newest(self, copy_id: str) -> tuple[Copy, int] | None:
        """What a write may be made of that replaces nothing else; no evidence, since it may not be durable."""
        found = await self._newest.find_one({"_id": copy_id})
        return (activities.read(found), found["rev"]) if found else None

    async def _alive(self, copy_id: str, session: Session) -> bool:
        return await self._copies.find_one({"_id": copy_id, **ALIVE}, {"_id": 1}, session=session) is not None

    async def _replace(
        self,
        after: Copy,
        revision: int,
        session: Session | None = None,
        *,
        alive: bool = False,
        due_in: timedelta | None = None,
    ) -> bool:
        """Write what became of the revision that was read; claimable `due_in` from now by the database's clock, where that is said."""
        held: dict[str, Any] = {"_id": after.copy_id, "rev": revision, **(ALIVE if alive else {})}
        made = activities.write(await self._shortened(after), revision + 1)
        if due_in is None:
            done = await self._copies.replace_one(held, made, session=session)
        else:
            # Literally: what the copy says may begin with a dollar sign.
            whole = {"$mergeObjects": [{"$literal": made}, {"claimableAt": from_now(due_in)}]}
            done = await self._copies.update_one(held, [{"$replaceWith": whole}], session=session)
        return done.matched_count == 1

    async def _shortened(self, copy: Copy) -> Copy:
        staying = await trails.shortened(self._database, self._copies.name, copy.copy_id, copy.trail)
        return copy if len(staying) == len(copy.trail) else replace(copy, trail=staying)

    async def _write(self, ref: CopyRef, origin: CopyState, change: Write, due_in: timedelta | None = None) -> bool:
        def fenced(copy: Copy) -> Copy | None:
            return change(copy) if copy.fence == ref.fence else None

        return await self._update(ref.copy_id, origin, fenced, due_in)

    async def _update(self, copy_id: str, origin: CopyState, change: Write, due_in: timedelta | None = None) -> bool:
        """Read, change, replace what was read; again while another write (a renewal, a mark) comes between."""
        async with guarded():
            while (found := await self._read_newest(copy_id)) is not None and found[0].state is origin:
                after = change(found[0])
                if after is None or await self._replace(after, found[1], due_in=due_in):
                    return after is not None
        return False

    async def _lead(self, leader: Copy, now: datetime, session: Session) -> None:
        if leader.kind is CopyKind.EXIT:
            wanted: dict[str, Any] = {"exitId": leader.exit_id, "kind": "debt", "memberOf": {"$ne": ""}}
        elif leader.group_key:
            wanted = {"account": leader.account_id, "groupKey": leader.group_key, "memberOf": leader.copy_id}
        else:
            return
        for document in await self._copies.find(wanted, session=session).to_list(None):
            after = transitions.followed(activities.read(document), leader, now)
            if after is not None and not await self._replace(after, document["rev"], session):
                raise Conflict


async def _insert(copies: Collection, made: Sequence[dict[str, Any]]) -> set[str]:
    """The ids of those that were new."""
    try:
        async with guarded():
            await copies.insert_many(made, ordered=False)
    except BulkWriteError as error:
        return _new(made, error)
    return {document["_id"] for document in made}


def _new(made: Sequence[Mapping[str, Any]], error: BulkWriteError) -> set[str]:
    failures = error.details["writeErrors"]
    if error.details.get("writeConcernErrors") or any(failure["code"] != DUPLICATE for failure in failures):
        raise StoreUnavailable("an insert may not have been applied") from error
    known = {failure["index"] for failure in failures}
    return {document["_id"] for index, document in enumerate(made) if index not in known}


def _not_begun(found: tuple[Copy, int] | None, ref: CopyRef, order_hash: str) -> Begun:
    """Why a copy could not be begun: the very same transaction may have done it before, when its answer was lost."""
    if found is None or found[0].fence != ref.fence:
        return Begun.CLAIM_LOST
    intent = found[0].intent
    if intent is not None and intent.order_hash == order_hash:
        return Begun.DONE
    return Begun.ACCOUNT_MOVED if found[0].state is CopyState.CLAIMED else Begun.CLAIM_LOST
