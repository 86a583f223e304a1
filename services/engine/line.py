"""An account's line in one process: whoever moves it waits his turn, and orders go before books."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.common.domain.account import Account, ExposureChange
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.exposure import applied
from services.common.ports.clock import Clock

PAUSE = timedelta(milliseconds=5)
MOST_PAUSES = 200
REMEMBERED_S = 0.1
MOST_IN_HAND = 2
"""Of one token: the next copy is claimed while the one before it is decided, and no more than it."""


@dataclass(slots=True)
class InHand:
    """A copy that is claimed and not past its decision. `decided` says, once it has left, whether the next of its token may follow."""

    copy: Copy
    before: "InHand | None"
    left: asyncio.Event = field(default_factory=asyncio.Event)
    decided: bool = False


def _alone(copy: Copy) -> bool:
    return copy.kind is not CopyKind.ENTRY or bool(copy.group_key)


class Line:
    """Decisions compare the account's `seq`, and what is booked between moves it: then they are made again (orders.md 4)."""

    def __init__(self, clock: Clock) -> None:
        self.claiming = False
        self._clock = clock
        self._turn = asyncio.Lock()
        self._in_hand: dict[CopyRef, InHand] = {}
        self._left: tuple[float, Account] | None = None
        self.place = 0
        """Advances whenever this process knows that the account was moved."""

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries in hand, by id: the order among them and their next is kept here."""
        return tuple(one.copy.copy_id for one in self._in_hand.values() if one.copy.kind is CopyKind.ENTRY)

    @property
    def busy_tokens(self) -> tuple[str, ...]:
        """Tokens of which nothing more is to be claimed now. A BUY also waits for a SELL that has overtaken it, and whatever may belong to
        a group for the order of its eldest."""
        held = Counter(one.copy.trade.token_id for one in self._in_hand.values())
        alone = {one.copy.trade.token_id for one in self._in_hand.values() if _alone(one.copy)}
        return tuple(token for token, count in held.items() if count >= MOST_IN_HAND or token in alone)

    def take(self, copy: Copy) -> None:
        """This copy has been claimed, to be decided after those of its token that are in hand."""
        # A process that was frozen may claim a copy again that it has in hand already, under an older fence.
        same = [
            one
            for one in self._in_hand.values()
            if one.copy.trade.token_id == copy.trade.token_id and one.copy.copy_id != copy.copy_id
        ]
        self._in_hand[copy.ref] = InHand(copy, same[-1] if same else None)

    def leave(self, claim: CopyRef, *, decided: bool) -> bool:
        """Past its decision, or put back; False where it had left before."""
        one = self._in_hand.pop(claim, None)
        if one is None:
            return False
        one.decided, one.before = decided, None
        one.left.set()
        return True

    async def reached(self, claim: CopyRef) -> bool:
        """Wait for the one before it; False where that was put back, and this one must not overtake it."""
        before = self._in_hand[claim].before
        if before is None:
            return True
        await before.left.wait()
        return before.decided

    @property
    def account(self) -> Account | None:
        """The account as it was read, or a decision of this process has left it, a moment ago; None where it has to be read.

        Others may have moved it since. An intent commits only on the `seq` that it was decided on, so they are not missed.
        """
        if self._left is None or self._clock.monotonic() - self._left[0] > REMEMBERED_S:
            return None
        return self._left[1]

    def moved(self, account: Account, change: ExposureChange) -> None:
        """A decision on `account` has committed with this change."""
        exposure = applied(account.exposure, change)
        after = replace(account, seq=account.seq + 1, attempts=account.attempts + 1, exposure=exposure)
        self.place += 1
        self._left = self._clock.monotonic(), after

    def read(self, account: Account, place: int) -> None:
        """The account as it was read ahead of a decision, from when the line was at `place`."""
        if place == self.place:
            self._left = self._clock.monotonic(), account

    def forget(self) -> None:
        """The account was moved by something else."""
        self.place += 1
        self._left = None

    @asynccontextmanager
    async def decision(self) -> AsyncGenerator[None]:
        """One decision, from its snapshot to its intent."""
        async with self._turn:
            yield

    @asynccontextmanager
    async def booking(self) -> AsyncGenerator[None]:
        """What came of an order: it waits for the orders of a burst to leave, a second at the most, as nothing but its own copy needs it
        sooner."""
        for _ in range(MOST_PAUSES):
            if not (self._in_hand or self.claiming):
                break
            await self._clock.sleep(PAUSE)
        async with self._turn:
            try:
                yield
            finally:
                self.forget()
