"""Whether what an exit owes for still stands: a reorg can take a leader's transaction back, and then nothing is owed for it until it is
mined again."""

from collections import OrderedDict
from datetime import datetime, timedelta

import structlog

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Cause, Exit, Step
from services.common.domain.lifecycle import CopyState
from services.common.ports.chain import ChainUnavailable
from services.common.ports.stores import Stores
from services.engine.debt_ends import REMOVED, ending
from services.engine.exits import PENDING, place
from services.engine.leader_steps import REORG_BLOCKS, LeaderSteps, step_key
from services.engine.lookout import Lookout
from services.engine.stock import Ground

log = structlog.get_logger()

VERIFIED_FOR = timedelta(seconds=5)
GONE_FOR = timedelta(seconds=30)
"""A node that lags does not know a receipt yet; one that is still missing after this was taken back."""
FOR_GOOD = timedelta(hours=1)
"""A transaction that was taken back is mined again soon, or its maker has made another instead."""
REMEMBERED = 10_000


class Standing:
    """Looks again at steps until each was seen in a block that is final. Remembers what it has seen and missed, and may forget it."""

    def __init__(self, stores: Stores, steps: LeaderSteps, lookout: Lookout) -> None:
        self._stores = stores
        self._steps = steps
        self._lookout = lookout
        self._seen: dict[str, datetime] = {}
        self._missing: dict[str, datetime] = {}
        self._final: OrderedDict[str, None] = OrderedDict()
        self._looked_at: datetime | None = None

    def seen(self, step: Step) -> None:
        """The step was read from the chain just now."""
        self._forget_old()
        self._seen[step.key] = self._lookout.now()
        self._missing.pop(step.key, None)

    def missing(self, debt: Copy) -> Step | None:
        """The removed step of a debt whose transaction was never seen here, once that cannot be for a node that lags.

        It has been missing since it was first missed here: when another process stored the debt says nothing of this one's node.
        """
        now = self._lookout.now()
        if now - self._missing.setdefault(step_key(debt), now) < GONE_FOR:
            return None
        return Step(step_key(debt), place(debt), 0, 0, Cause.LEADER, removed=True)

    async def look_again(self, account_id: str) -> bool:
        """Owe again for what is back, and end the debts of what is gone for good; True when something was written."""
        now = self._lookout.now()
        if self._looked_at is not None and now - self._looked_at < VERIFIED_FOR:
            return False
        self._looked_at = now
        exits = await self._stores.exits.retracted(account_id)
        return any([await self._again(exit_, step) for exit_ in exits for step in exit_.steps if step.removed])

    async def _again(self, exit_: Exit, step: Step) -> bool:
        members = await self._stores.copies.of_exit(exit_.exit_id)
        debts = [one for one in members if one.kind is CopyKind.DEBT and step_key(one) == step.key]
        try:
            back = await self._steps.of(debts[0]) if debts else None
        except ChainUnavailable:
            return False
        if back is not None:
            await self._owe_again(exit_, back)
            return True
        attempts = [one for one in members if one.kind is CopyKind.EXIT]
        selling = any(one.state in PENDING or one.state is CopyState.EXECUTED for one in attempts)
        now = self._lookout.now()
        if selling or any(now - debt.trade.traded_at < FOR_GOOD for debt in debts):
            return False
        for debt in debts:
            if end := ending(debt, attempts, REMOVED, REMOVED):
                await self._stores.copies.close_member(debt.copy_id, *end, now)
        return await self._stores.exits.forget(exit_.exit_id, exit_.version, step.key)

    async def _owe_again(self, exit_: Exit, step: Step) -> None:
        self.seen(step)
        ids = exit_.exit_id, exit_.account_id, exit_.follow_id, exit_.token_id
        await self._stores.exits.owe(*ids, step, self._lookout.now())
        log.warning("exit_step_back", exit=exit_.exit_id, step=step.key)

    async def has_lost_one(self, ground: Ground) -> bool:
        """Whether some step cannot be seen in the chain now; it is removed once it has been missing for long."""
        head = (await self._lookout.around()).head
        finalized = head.finalized if head else 0
        # What was seen before its block was final may have been taken back since.
        young = (s for s in ground.exit.standing if s.cause is Cause.LEADER and self._may_go(s, finalized))
        for step in young:
            if not await self._stands(step, ground, finalized):
                return True
        return False

    def _may_go(self, step: Step, finalized: int) -> bool:
        return step.place.block > finalized - REORG_BLOCKS and step.key not in self._final

    async def _stands(self, step: Step, ground: Ground, finalized: int) -> bool:
        now, seen = self._lookout.now(), self._seen.get(step.key)
        trade = next((debt.trade for debt in ground.debts if step_key(debt) == step.key), None)
        if trade is None or (seen is not None and now - seen < VERIFIED_FOR):
            return True
        try:
            found = await self._steps.receipt(trade)
        except ChainUnavailable:
            return False
        if found is None:
            if now - self._missing.setdefault(step.key, now) >= GONE_FOR:
                await self._retract(step, ground)
            return False
        self.seen(step)
        if found.block_number <= finalized:
            self._final[step.key] = None
            if len(self._final) > REMEMBERED:
                self._final.popitem(last=False)
        return True

    async def _retract(self, step: Step, ground: Ground) -> None:
        if await self._stores.exits.retract(ground.exit.exit_id, ground.exit.version, step.key):
            self._missing.pop(step.key, None)
            log.error("exit_step_removed", exit=ground.exit.exit_id, step=step.key)

    def _forget_old(self) -> None:
        now = self._lookout.now()
        self._seen = {key: at for key, at in self._seen.items() if now - at < VERIFIED_FOR}
