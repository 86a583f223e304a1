"""Whether what an exit owes for still stands: a reorg can take a leader's transaction back, and then nothing is owed for it."""

from datetime import datetime, timedelta

import structlog

from services.common.domain.exit import Cause, Step
from services.common.ports.chain import ChainUnavailable
from services.common.ports.stores import Stores
from services.engine.leader_steps import LeaderSteps, step_key
from services.engine.lookout import Lookout
from services.engine.stock import Ground

log = structlog.get_logger()

VERIFIED_FOR = timedelta(seconds=5)
GONE_FOR = timedelta(seconds=30)
"""A node that lags does not know a receipt yet; one that is still missing after this was taken back."""


class Standing:
    """Looks again at steps whose blocks are not final. Remembers what it has seen and missed, and may forget it."""

    def __init__(self, stores: Stores, steps: LeaderSteps, lookout: Lookout) -> None:
        self._stores = stores
        self._steps = steps
        self._lookout = lookout
        self._seen: dict[str, datetime] = {}
        self._missing: dict[str, datetime] = {}

    def seen(self, step: Step) -> None:
        """The step was read from the chain just now."""
        self._forget_old()
        self._seen[step.key] = self._lookout.now()
        self._missing.pop(step.key, None)

    async def has_lost_one(self, ground: Ground) -> bool:
        """Whether some step cannot be seen in the chain now; it is removed once it has been missing for long."""
        head = (await self._lookout.around()).head
        finalized = head.finalized if head else 0
        young = (s for s in ground.exit.standing if s.cause is Cause.LEADER and s.place.block > finalized)
        for step in young:
            if not await self._stands(step, ground):
                return True
        return False

    async def _stands(self, step: Step, ground: Ground) -> bool:
        now, seen = self._lookout.now(), self._seen.get(step.key)
        trade = next((debt.trade for debt in ground.debts if step_key(debt) == step.key), None)
        if trade is None or (seen is not None and now - seen < VERIFIED_FOR):
            return True
        try:
            found = await self._steps.receipt(trade)
        except ChainUnavailable:
            return False
        if found is not None:
            self.seen(step)
        elif now - self._missing.setdefault(step.key, now) >= GONE_FOR:
            await self._retract(step, ground)
        return found is not None

    async def _retract(self, step: Step, ground: Ground) -> None:
        if await self._stores.exits.retract(ground.exit.exit_id, ground.exit.version, step.key):
            self._missing.pop(step.key, None)
            log.error("exit_step_removed", exit=ground.exit.exit_id, step=step.key)

    def _forget_old(self) -> None:
        now = self._lookout.now()
        self._seen = {key: at for key, at in self._seen.items() if now - at < VERIFIED_FOR}
