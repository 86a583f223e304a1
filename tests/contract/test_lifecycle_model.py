"""Any order of operations on a few copies, against a model that fits on a page: store and model never differ."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.common.domain.account import AccountState, ExposureChange
from services.common.domain.copy import Copy, CopyRef
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState, ForbiddenTransition
from services.common.ports.stores import Begun
from services.common.store.client import MongoStores
from services.common.store.memory import MemoryStores
from tests.builders import ACCOUNT, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import LEASE, S, books, settled
from tests.controlled import brought_to
from tests.durable import durably

T = TypeVar("T")

NUMBERS = st.integers(1, 3)
SELDOM = st.sampled_from([False, False, False, False, True])
SETTLEMENTS = {
    (S.EXECUTED, S.RECONCILED),
    (S.EXECUTED, S.FAILED),
    (S.EXECUTING, S.EXECUTED),
    (S.FAILED, S.EXECUTED),
    (S.RECONCILED, S.EXECUTED),
}


@dataclass
class Known:
    """What the model knows of one copy."""

    state: CopyState
    fence: int = 0
    lapsed: bool = False
    attempts: int = 0
    taken: Copy | None = None

    @property
    def claimable(self) -> bool:
        return self.state is S.DETECTED or (self.lapsed and self.state in {S.CLAIMED, S.EXECUTING})


@dataclass
class Model:
    """What the model knows of the account and its copies, by their numbers."""

    copies: dict[int, Known] = field(default_factory=dict)
    seq: int = 0
    halted: bool = False
    open: set[int] = field(default_factory=set)
    spent: int = 0


def this_instant() -> datetime:
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class Life(RuleBasedStateMachine):
    """Rules do to the store what they say to the model, with claims and lines that stand or are old."""

    opened: Callable[[], Coroutine[Any, Any, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.at = this_instant()
        self.stores = self.do(type(self).opened())
        self.do(self.stores.accounts.create(an_account()))
        self.model = Model()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.do(closed(self.stores))
        self.loop.close()

    def copy(self, number: int) -> Copy:
        return a_copy(number, now=self.at, trade=a_trade(number, token_id=str(number)))

    def ref(self, number: int, stale: bool) -> CopyRef:
        known = self.model.copies[number]
        return CopyRef(self.copy(number).copy_id, ACCOUNT, known.fence - 1 if stale else known.fence)

    def has(self, number: int, state: CopyState, stale: bool) -> bool:
        return not stale and self.model.copies[number].state is state

    @initialize(count=st.integers(0, 2))
    def orders(self, count: int) -> None:
        """Most of a copy's life begins with an order."""
        for number in range(1, count + 1):
            self.insert(number)
            self.claim(True)
            self.begin(number, False, False)

    @rule(number=NUMBERS)
    def insert(self, number: int) -> None:
        new = number not in self.model.copies
        inserted = self.do(self.stores.copies.insert([self.copy(number)]))
        assert bool(inserted) is new
        self.model.copies.setdefault(number, Known(S.DETECTED))

    @rule(fresh=st.booleans())
    def claim(self, fresh: bool) -> None:
        due = {
            self.copy(number).copy_id: known
            for number, known in self.model.copies.items()
            if known.claimable and (fresh or known.state is S.EXECUTING)
        }
        taken = self.do(self.stores.copies.claim(ACCOUNT, "w", LEASE, fresh=fresh))
        assert (taken is None) is (not due)
        if taken is not None:
            known = due[taken.copy_id]
            known.fence, known.lapsed = known.fence + 1, False
            known.state = S.EXECUTING if known.state is S.EXECUTING else S.CLAIMED
            assert taken.fence == known.fence
            known.taken = taken

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM)
    def lapse(self, number: int, stale: bool) -> None:
        if known := self.model.copies.get(number):
            done = self.do(self.stores.copies.renew(self.ref(number, stale), timedelta(0)))
            assert done is (not stale and known.state in {S.CLAIMED, S.EXECUTING})
            known.lapsed = known.lapsed or done

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM, how=st.sampled_from(["release", "skip", "refuse"]))
    def let_go(self, number: int, stale: bool, how: str) -> None:
        if number not in self.model.copies:
            return
        ref, copies = self.ref(number, stale), self.stores.copies
        work = {
            "release": lambda: copies.release(ref, timedelta(0), self.at),
            "skip": lambda: copies.skip(ref, "edge", None, self.at),
            "refuse": lambda: copies.refuse(ref, "unknown", self.at),
        }
        done = self.do(work[how]())
        assert done is self.has(number, S.CLAIMED, stale)
        if done:
            end = {"release": S.DETECTED, "skip": S.SKIPPED, "refuse": S.FAILED}[how]
            self.model.copies[number].state, self.model.copies[number].lapsed = end, False

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM, old_line=SELDOM)
    def begin(self, number: int, stale: bool, old_line: bool) -> None:
        if number not in self.model.copies:
            return
        known, intent = self.model.copies[number], an_intent(number, self.at)
        copy = known.taken or self.copy(number)
        change = an_exposure(copy, intent, self.at)
        seq = self.model.seq - old_line
        ref = self.ref(number, stale)
        begun = self.do(
            self.stores.copies.begin(
                replace(copy, state=S.CLAIMED, fence=ref.fence), seq, intent, a_decision(self.at), change, (), self.at
            )
        )
        if known.attempts:
            assert begun is (Begun.CLAIM_LOST if stale else Begun.DONE)
        elif stale or known.state is not S.CLAIMED:
            assert begun is Begun.CLAIM_LOST
        elif known.lapsed or old_line:
            assert begun in {Begun.CLAIM_LOST, Begun.ACCOUNT_MOVED}
        else:
            assert begun is Begun.DONE
            known.state, known.attempts = S.EXECUTING, 1
            self.model.open.add(number)
            self.model.spent += intent.usdc_micros
            self.model.seq += 1

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM)
    def resend(self, number: int, stale: bool) -> None:
        if known := self.model.copies.get(number):
            attempt = Attempt(known.attempts + 1, self.at)
            done = self.do(self.stores.copies.journal(self.ref(number, stale), attempt, self.at))
            assert done is (self.has(number, S.EXECUTING, stale) and not known.lapsed and not self.model.halted)
            known.attempts += done
            self.model.seq += done

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM)
    def record(self, number: int, stale: bool) -> None:
        if number in self.model.copies:
            attempt = Attempt(1, self.at, Outcome.UNKNOWN)
            done = self.do(self.stores.copies.record(self.ref(number, stale), attempt, None, self.at))
            assert done is self.has(number, S.EXECUTING, stale)

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM, matched=st.booleans())
    def conclude(self, number: int, stale: bool, matched: bool) -> None:
        if number not in self.model.copies:
            return
        ref, copies = self.ref(number, stale), self.stores.copies
        if matched:
            done = self.do(copies.execute(ref, None, 10, 5, 1, ExposureChange(self.at), self.at))
        else:
            gone = ExposureChange(self.at, drop=ref.copy_id)
            done = self.do(copies.fail(ref, None, "rejected", False, True, gone, None, self.at))
        assert done is self.has(number, S.EXECUTING, stale)
        if done:
            self.model.copies[number].state = S.EXECUTED if matched else S.FAILED
            self.model.seq += 1
            self.model.open -= set() if matched else {number}

    @precondition(lambda self: self.model.copies)
    @rule(number=NUMBERS, stale=SELDOM, end=st.sampled_from(CopyState))
    def settle(self, number: int, stale: bool, end: CopyState) -> None:
        known = self.model.copies.get(number)
        if known is None or not known.attempts:
            return
        copy = self.do(self.stores.copies.get(self.copy(number).copy_id))
        made = replace(books(copy, self.at, f"t{number}"), change=ExposureChange(self.at, drop=copy.copy_id))
        fence = known.fence - stale
        try:
            done = self.do(settled(self.stores, copy, fence, end, self.at, made))
        except ForbiddenTransition:
            done = False
        assert done is (not stale and (known.state, end) in SETTLEMENTS)
        if done:
            known.state, known.fence = end, known.fence + 1
            self.model.seq += 1
            self.model.open.discard(number)

    @rule(halted=st.booleans())
    def control(self, halted: bool) -> None:
        state = AccountState.HALTED if halted else AccountState.ACTIVE
        self.do(self.stores.accounts.change(ACCOUNT, brought_to(state, self.at)))
        self.model.halted, self.model.seq = halted, self.model.seq + 1

    @invariant()
    def each_copy_is_where_the_model_has_it(self) -> None:
        for number, known in self.model.copies.items():
            copy = self.do(self.stores.copies.get(self.copy(number).copy_id))
            attempts = len(copy.intent.attempts) if copy.intent else 0
            assert (copy.state, copy.fence, attempts) == (known.state, known.fence, known.attempts)
            assert [entry.previous for entry in copy.trail[1:]] == [entry.digest for entry in copy.trail[:-1]]

    @invariant()
    def the_account_is_on_the_line_that_the_model_has(self) -> None:
        account = self.do(self.stores.accounts.get(ACCOUNT))
        assert account.seq == self.model.seq
        assert set(account.exposure.open) == {self.copy(number).copy_id for number in self.model.open}
        assert account.exposure.day(self.at).spent_micros == self.model.spent


async def closed(stores: Any) -> None:
    if isinstance(stores, MongoStores):
        await stores.database.client.drop_database(stores.database.name)
    await stores.close()


def test_memory_does_what_the_model_says() -> None:
    class InMemory(Life):
        @staticmethod
        async def opened() -> MemoryStores:
            return MemoryStores(lambda: datetime.now(UTC))

    run_state_machine_as_test(
        InMemory, settings=settings(max_examples=150, stateful_step_count=30, deadline=None, derandomize=True)
    )


def test_mongod_does_what_the_model_says(mongo_uri: str) -> None:
    class OnMongod(Life):
        @staticmethod
        async def opened() -> MongoStores:
            stores = durably(MongoStores(mongo_uri, f"test_{uuid.uuid4().hex[:12]}", name="tests"))
            await stores.prepare()
            return stores

    quick = settings(
        max_examples=12,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(OnMongod, settings=quick)
