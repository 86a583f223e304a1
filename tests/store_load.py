"""A load on the real stores: copies walk from detected to reconciled, and every acknowledged write is looked for afterwards."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TypeVar

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun, Stores, StoreUnavailable
from tests.builders import a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import books, settled

T = TypeVar("T")
Stands = Callable[[], Awaitable[bool]]

LEASE = timedelta(hours=1)
COPIES_OF_ACCOUNT = 25
AGAIN_S = 0.05
FILLED, PAID, FEE = 10_000_000, 5_000_000, 1_000


@dataclass
class Load:
    """Workers on accounts of their own. `acknowledged` counts writes that were, `recognised` those whose answer was an error and that stood
    nevertheless, by their step; `lost` says what was acknowledged and is not there."""

    stores: Stores
    acknowledged: int = 0
    errors: int = 0
    recognised: Counter[str] = field(default_factory=Counter[str])
    lost: list[str] = field(default_factory=list[str])
    accounts: list[str] = field(default_factory=list[str])
    stopping: bool = False
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def run(self) -> None:
        """One worker: account after account, until it is told to stop; an account that is begun is finished."""
        while not self.stopping:
            account = f"0x{next(self._numbers):040x}"
            await self._write(
                "account",
                lambda known=account: self.stores.accounts.create(an_account(known)),
                lambda known=account: self._has(known),
            )
            for _ in range(COPIES_OF_ACCOUNT):
                await self._copy(account, next(self._numbers))
            self.accounts.append(account)

    async def _copy(self, account: str, number: int) -> None:
        at, copies = datetime.now(UTC), self.stores.copies
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        new = a_copy(number, account=account, trade=a_trade(number, token_id=str(number), traded_at=at), now=at)
        intent, worker = an_intent(number, at), f"worker of {new.copy_id}"
        unknown, resend, match = Attempt(1, at, Outcome.UNKNOWN), Attempt(2, at), Attempt(2, at, Outcome.ACKED)

        async def insert() -> bool:
            return await copies.insert([new]) == (new.copy_id,)

        def stands(so: Callable[[Copy], bool]) -> Stands:
            return lambda: self._is(new.copy_id, so)

        await self._write("insert", insert, stands(lambda _: True))
        claimed = await self._begun(new, worker, number, at)
        ref, written = claimed.ref, books(replace(claimed, intent=intent), at, f"t{number}")

        await self._write("sign", lambda: copies.sign(ref, intent.order_hash, "s1.sealed"), stands(_is_signed))
        await self._write("record", lambda: copies.record(ref, unknown, None, at), stands(_is_unknown))
        await self._write("journal", lambda: copies.journal(ref, resend, at), stands(_is_sent_again))
        await self._write(
            "execute",
            lambda: copies.execute(ref, match, FILLED, PAID, FEE, ExposureChange(at), at),
            stands(lambda copy: copy.state is CopyState.EXECUTED),
        )
        await self._write(
            "settle",
            lambda: settled(self.stores, claimed, ref.fence, CopyState.RECONCILED, at, written),
            stands(lambda copy: copy.state is CopyState.RECONCILED),
        )

    async def _begun(self, copy: Copy, worker: str, number: int, at: datetime) -> Copy:
        """The copy as it was claimed, with its intent stored. A claim goes with a primary that is lost, and is then made again."""

        def stands() -> Awaitable[bool]:
            return self._is(copy.copy_id, lambda found: found.intent is not None)

        while True:
            claimed = await self._claimed(copy, worker)
            if await self._stood("begin", partial(self._begin, claimed, number, at), stands):
                return claimed

    async def _claimed(self, copy: Copy, worker: str) -> Copy:
        """The copy in this worker's hands; a claim that was left unanswered may stand."""
        while True:
            try:
                taken = await self.stores.copies.claim(copy.account_id, worker, LEASE, fresh=True)
            except StoreUnavailable:
                self.errors += 1
                taken = None
            if taken is not None:
                return taken
            stored = await self._stored(copy.copy_id)
            if stored.claimed_by == worker:
                return stored
            await asyncio.sleep(AGAIN_S)

    async def _begin(self, copy: Copy, number: int, at: datetime) -> bool:
        account = await self.stores.accounts.get(copy.account_id)
        assert account is not None
        intent = an_intent(number, at)
        change = an_exposure(copy, intent, at)
        begun = await self.stores.copies.begin(copy, account.seq, intent, a_decision(at), change, (), at)
        return begun is Begun.DONE

    async def _write(self, step: str, write: Callable[[], Awaitable[bool]], stands: Stands) -> None:
        """Write until it is known to stand. What is refused without having been left unanswered before met something that is wrong."""
        if not await self._stood(step, write, stands):
            self.lost.append(f"{step}: refused, and what it should have made is not there")

    async def _stood(self, step: str, write: Callable[[], Awaitable[bool]], stands: Stands) -> bool:
        """Write until it is known whether it stands."""
        unanswered = False
        while True:
            try:
                done = await write()
                break
            except StoreUnavailable:
                self.errors += 1
                unanswered = True
                await asyncio.sleep(AGAIN_S)
                if await stands():
                    self.recognised[step] += 1
                    return True
        if done:
            self.acknowledged += 1
        elif unanswered and await stands():
            self.recognised[step] += 1
            done = True
        return done

    async def _has(self, account: str) -> bool:
        return await self._read(lambda: self.stores.accounts.get(account)) is not None

    async def _is(self, copy_id: str, so: Callable[[Copy], bool]) -> bool:
        found = await self._read(lambda: self.stores.copies.get(copy_id))
        return found is not None and so(found)

    async def _stored(self, copy_id: str) -> Copy:
        found = await self._read(lambda: self.stores.copies.get(copy_id))
        if found is None:
            self.lost.append(f"copy {copy_id}: inserted and claimed, and not there")
            raise AssertionError(self.lost[-1])
        return found

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)

    async def off(self) -> list[str]:
        """What the stores do not have that was acknowledged or recognised, or have twice."""
        found = list(self.lost)
        for known in self.accounts:
            found += [f"{known}: {text}" for text in await self._off(known)]
        return found

    async def _off(self, known: str) -> list[str]:
        account = await self.stores.accounts.get(known)
        copies = (await self.stores.copies.page([known], 10 * COPIES_OF_ACCOUNT, 0)).items
        if account is None:
            return ["gone"]
        resends = sum(len(copy.intent.attempts) - 1 for copy in copies if copy.intent)
        exposure, many = account.exposure, COPIES_OF_ACCOUNT
        shares = sum(holding.shares_micros for holding in exposure.held.values())
        spent = sum(day.spent_micros for day in exposure.days.values())
        figures = {
            "copies": (len(copies), many),
            "reconciled": (sum(copy.state is CopyState.RECONCILED for copy in copies), many),
            "moves of the line": (account.seq, 3 * many + resends),
            "open": (len(exposure.open), 0),
            "shares": (shares, many * FILLED),
            "spent": (spent, many * an_intent(1).usdc_micros),
            "fills": (len(await self.stores.positions.fills([known])), many),
            "lines": (len(await self.stores.positions.ledger(known)), many),
            "positions": (len(await self.stores.positions.of([known])), many),
        }
        return [f"{what}: {is_}, not {should}" for what, (is_, should) in figures.items() if is_ != should]


def _is_signed(copy: Copy) -> bool:
    return copy.intent is not None and bool(copy.intent.signature)


def _is_unknown(copy: Copy) -> bool:
    return copy.intent is not None and copy.intent.attempts[0].outcome is Outcome.UNKNOWN


def _is_sent_again(copy: Copy) -> bool:
    return copy.intent is not None and len(copy.intent.attempts) > 1
