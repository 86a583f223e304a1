"""A copy in each state of its life, and every operation of the port that may move one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.common.domain.account import ExposureChange, Holding
from services.common.domain.copy import Copy, CopyRef
from services.common.domain.exit import Place, Step, exit_id
from services.common.domain.fill import Fill, LedgerLine, Position, TradeStatus
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.stores import Begun, Stores
from tests.builders import ACCOUNT, CONDITION, a_copy, a_decision, an_account, an_exposure, an_intent

LEASE = timedelta(seconds=60)
S = CopyState

Move = Callable[[Stores, Copy, CopyRef, datetime], Awaitable[Any]]


async def claimed(stores: Stores, copy: Copy, lease: timedelta = LEASE) -> Copy:
    """The copy in the hands of a worker of an account with nothing at risk."""
    await stores.accounts.create(an_account(copy.account_id))
    await stores.copies.insert([copy])
    found = await stores.copies.claim(copy.account_id, "w1", lease, fresh=True)
    assert found is not None
    assert found.copy_id == copy.copy_id
    return found


async def begun(stores: Stores, copy: Copy, number: int, now: datetime) -> Copy:
    """The claimed copy with its intent on the account's line as it is now."""
    account = await stores.accounts.get(copy.account_id)
    assert account is not None
    intent = an_intent(number, now)
    change = an_exposure(copy, intent, now)
    done = await stores.copies.begin(copy, account.seq, intent, a_decision(now), change, (), now)
    assert done is Begun.DONE
    return await kept(stores, copy)


async def executing(stores: Stores, now: datetime, number: int = 1, **changes: Any) -> Copy:
    """A copy whose order may be at the venue."""
    return await begun(stores, await claimed(stores, a_copy(number, now=now, **changes)), number, now)


async def executed(stores: Stores, now: datetime, number: int = 1, **changes: Any) -> Copy:
    """A copy whose order has matched."""
    copy = await executing(stores, now, number, **changes)
    assert await stores.copies.execute(
        copy.ref, Attempt(1, now, Outcome.ACKED), 10_000_000, 5_000_000, 0, ExposureChange(now), now
    )
    return await kept(stores, copy)


async def kept(stores: Stores, copy: Copy) -> Copy:
    """The copy as the store has it."""
    found = await stores.copies.get(copy.copy_id)
    assert found is not None
    return found


async def in_state(stores: Stores, state: CopyState, now: datetime) -> Copy:
    """A copy that came to `state` by the operations of the port; a failed one was given up and is watched."""
    if state in {S.DETECTED, S.CLAIMED}:
        copy = a_copy(1, now=now)
        if state is S.CLAIMED:
            return await claimed(stores, copy)
        await stores.accounts.create(an_account())
        await stores.copies.insert([copy])
        return await kept(stores, copy)
    if state is S.SKIPPED:
        copy = await claimed(stores, a_copy(1, now=now))
        assert await stores.copies.skip(copy.ref, "trade_time", a_decision(now), now)
    elif state is S.FAILED:
        copy = await executing(stores, now)
        later = now + timedelta(hours=24)
        assert await stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, later, now)
    elif state is S.EXECUTING:
        copy = await executing(stores, now)
    else:
        copy = await executed(stores, now)
        if state is S.RECONCILED:
            assert await settled(stores, copy, copy.fence, S.RECONCILED, now)
    return await kept(stores, copy)


@dataclass(frozen=True, slots=True)
class Books:
    """What one settlement writes: a fill, its line, the position they make and what the account holds."""

    fills: tuple[Fill, ...]
    lines: tuple[LedgerLine, ...]
    positions: tuple[Position, ...]
    change: ExposureChange


def books(copy: Copy, now: datetime, trade_id: str = "t1", shares: int = 10_000_000) -> Books:
    """One confirmed trade of the copy at 0.50, as the first of its token."""
    order_hash = copy.intent.order_hash if copy.intent else ""
    usdc, fee, token = shares // 2, 1_000, copy.trade.token_id
    fill = Fill(
        copy.account_id,
        trade_id,
        order_hash,
        copy.copy_id,
        CONDITION,
        token,
        Side.BUY,
        shares,
        usdc,
        fee,
        TradeStatus.CONFIRMED,
        now,
    )
    line = LedgerLine(copy.account_id, token, trade_id, order_hash, copy.copy_id, shares, -usdc, fee, 0, now)
    position = Position(copy.account_id, copy.account_id, token, CONDITION, shares, usdc + fee, shares, 0, fee, now)
    change = ExposureChange(now, drop=copy.copy_id, held=Holding(token, CONDITION, "7", shares, usdc + fee))
    return Books((fill,), (line,), (position,), change)


async def settled(
    stores: Stores, copy: Copy, fence: int, state: CopyState, now: datetime, written: Books | None = None
) -> bool:
    """The reconciler moves the copy to `state`."""
    written = written or books(copy, now)
    return await stores.copies.settle(
        copy.copy_id,
        fence,
        state,
        written.fills,
        written.lines,
        written.positions,
        10_000_000,
        5_000_000,
        1_000,
        written.change,
        False,
        now,
    )


async def _begin(stores: Stores, copy: Copy, ref: CopyRef, now: datetime) -> bool:
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    intent = an_intent(99, now)
    change = an_exposure(copy, intent, now)
    done = await stores.copies.begin(
        replace(copy, fence=ref.fence), account.seq, intent, a_decision(now), change, (), now
    )
    return done is Begun.DONE


async def owed(stores: Stores, debt: Copy, now: datetime) -> str:
    """The open exit, with the debt's step."""
    known = exit_id(debt.follow_id, debt.trade.token_id)
    await stores.exits.owe(known, debt.account_id, debt.follow_id, debt.trade.token_id, step_of(debt), now)
    return known


def step_of(debt: Copy) -> Step:
    """What a debt makes its exit owe."""
    return Step(f"step {debt.copy_id}", Place(debt.trade.block_number, debt.trade.log_index), 1, 2)


async def _park(stores: Stores, copy: Copy, ref: CopyRef, now: datetime) -> bool:
    return await stores.copies.park(ref, step_of(copy), now) is not None


def _hash(copy: Copy) -> str:
    return copy.intent.order_hash if copy.intent else an_intent(1).order_hash


ENGINE: Mapping[str, Move] = {
    "renew": lambda s, _, ref, now: s.copies.renew(ref, LEASE * 2),
    "release": lambda s, _, ref, now: s.copies.release(ref, timedelta(seconds=9), now),
    "park": _park,
    "skip": lambda s, _, ref, now: s.copies.skip(ref, "edge", a_decision(now), now),
    "refuse": lambda s, _, ref, now: s.copies.refuse(ref, "unknown_market", now),
    "begin": _begin,
    "sign": lambda s, copy, ref, now: s.copies.sign(ref, _hash(copy), "s1.sealed"),
    "journal": lambda s, _, ref, now: s.copies.journal(ref, Attempt(2, now), now),
    "record": lambda s, _, ref, now: s.copies.record(ref, Attempt(1, now, Outcome.UNKNOWN), LEASE, now),
    "looked": lambda s, _, ref, now: s.copies.looked(ref, True, LEASE, now),
    "execute": lambda s, _, ref, now: s.copies.execute(ref, None, 10, 5, 1, ExposureChange(now), now),
    "fail": lambda s, copy, ref, now: s.copies.fail(
        ref, None, "rejected", False, True, ExposureChange(now, drop=copy.copy_id), None, now
    ),
}
"""Writes under a claim."""

OTHERS: Mapping[str, Move] = {
    "claim": lambda s, copy, ref, now: s.copies.claim(ACCOUNT, "w2", LEASE, fresh=True),
    "void": lambda s, copy, ref, now: s.copies.void(copy.copy_id, "removed", now),
}
"""Writes on the state alone."""


def settling(state: CopyState) -> Move:
    """The reconciler's move to `state`."""
    return lambda s, copy, ref, now: settled(s, copy, ref.fence, state, now)


def closing(state: CopyState) -> Move:
    """A member's end with its exit."""
    return lambda s, copy, ref, now: s.copies.close_member(copy.copy_id, state, "closed", now)


MOVES: Mapping[str, Move] = {
    **ENGINE,
    **OTHERS,
    **{f"settle as {state}": settling(state) for state in S},
    **{f"close as {state}": closing(state) for state in S},
}

ALLOWED: Mapping[tuple[CopyState, str], CopyState] = {
    (S.DETECTED, "claim"): S.CLAIMED,
    (S.DETECTED, "void"): S.SKIPPED,
    (S.CLAIMED, "renew"): S.CLAIMED,
    (S.CLAIMED, "release"): S.DETECTED,
    (S.CLAIMED, "park"): S.DETECTED,
    (S.CLAIMED, "skip"): S.SKIPPED,
    (S.CLAIMED, "refuse"): S.FAILED,
    (S.CLAIMED, "begin"): S.EXECUTING,
    (S.EXECUTING, "renew"): S.EXECUTING,
    (S.EXECUTING, "sign"): S.EXECUTING,
    (S.EXECUTING, "journal"): S.EXECUTING,
    (S.EXECUTING, "record"): S.EXECUTING,
    (S.EXECUTING, "looked"): S.EXECUTING,
    (S.EXECUTING, "execute"): S.EXECUTED,
    (S.EXECUTING, "fail"): S.FAILED,
    (S.EXECUTING, "settle as executed"): S.EXECUTED,
    (S.EXECUTED, "settle as reconciled"): S.RECONCILED,
    (S.EXECUTED, "settle as failed"): S.FAILED,
    (S.FAILED, "settle as executed"): S.EXECUTED,
    (S.RECONCILED, "settle as executed"): S.EXECUTED,
}
"""What an entry may do, by where it is; everything else is refused (orders.md 7)."""


def other_fences(copy: Copy) -> tuple[CopyRef, ...]:
    """Claims on the copy that are not the one that stands."""
    return tuple(replace(copy.ref, fence=copy.fence + step) for step in (-1, 1))
