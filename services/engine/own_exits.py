"""The shell around a follow's own exits: prices and ages are held against its policy, and a deleted follow is emptied and closed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from services.common.domain import changes
from services.common.domain.account import Account
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState, Kept, exit_id, own, remaining
from services.common.domain.follow import Follow, FollowState, Leaving
from services.common.ports.stores import Stores
from services.common.ports.venue import Markets, VenueUnavailable
from services.engine import exits, metrics, own_steps
from services.engine.closing import Closing
from services.engine.lookout import Lookout
from services.engine.marks import mark_micros
from services.engine.stock import is_leaving, purchases
from services.engine.timing import Timing

log = structlog.get_logger()


class OwnExits:
    """Own exits of one account. What they ask for is a step like any other: whoever asks again, and whenever, owes it once."""

    def __init__(self, stores: Stores, markets: Markets, lookout: Lookout, timing: Timing) -> None:
        self._stores = stores
        self._markets = markets
        self._lookout = lookout
        self._timing = timing
        self._closing = Closing(stores)
        self._looked_at: datetime | None = None

    async def turn(self, account: Account) -> bool:
        """Look at every follow that has rules of its own or is being left, and at requests that someone died over, once in a while.

        True when something was written.
        """
        now = self._lookout.now()
        if self._looked_at is not None and now - self._looked_at < self._timing.own_exits:
            return False
        self._looked_at = now
        asked = await self._closing.carry_on(account.account_id)
        mine = [one for one in await self._stores.follows.all() if one.account_id == account.account_id and _asks(one)]
        return await self._look_at_all(account, mine) or asked if mine else asked

    async def _look_at_all(self, account: Account, follows: Sequence[Follow]) -> bool:
        wrote: set[str] = set()
        busy: set[str] = set()
        for token_id in _tokens(account):
            entries = purchases(await self._stores.copies.of_token(account.account_id, token_id))
            for follow in follows:
                mine = tuple(one for one in entries if one.follow_id == follow.follow_id)
                if mine:
                    await self._look(account, follow, token_id, mine, wrote, busy)
        return any([await self._leave(follow, busy) for follow in follows]) or bool(wrote)

    async def _look(
        self,
        account: Account,
        follow: Follow,
        token_id: str,
        entries: Sequence[Copy],
        wrote: set[str],
        busy: set[str],
    ) -> None:
        known = await self._stores.exits.get(exit_id(follow.follow_id, token_id))
        if is_leaving(follow, Leaving.KEEP):
            done = await self._keep(account, follow, token_id, entries, known)
        else:
            done = await self._ask(account, follow, token_id, entries, known)
        if done:
            wrote.add(follow.follow_id)
        if done or not _is_over(entries, known):
            busy.add(follow.follow_id)

    async def _ask(
        self, account: Account, follow: Follow, token_id: str, entries: Sequence[Copy], known: Exit | None
    ) -> bool:
        mark = await self._mark(account, follow, token_id)
        step = own_steps.wanted(follow, token_id, entries, known, mark, self._lookout.now())
        if step is None:
            return False
        name = exit_id(follow.follow_id, token_id)
        await self._stores.exits.owe(name, account.account_id, follow.follow_id, token_id, step, self._lookout.now())
        metrics.OWN_STEPS.labels(step.cause).inc()
        log.info("own_exit", exit=name, cause=str(step.cause), shares_micros=step.decrease_micros, mark_micros=mark)
        return True

    async def _mark(self, account: Account, follow: Follow, token_id: str) -> int | None:
        if not (follow.policy.take_profit_bps or follow.policy.stop_loss_bps):
            return None
        try:
            market, book = await asyncio.gather(self._markets.by_token(token_id), self._markets.book(token_id))
        except VenueUnavailable:
            return None
        return mark_micros(book, market, account.limits)

    async def _keep(
        self, account: Account, follow: Follow, token_id: str, entries: Sequence[Copy], known: Exit | None
    ) -> bool:
        """What is held is the account's from now on. An open exit ends by itself."""
        unkept = own(exits.lots(entries), known.kept if known else None)
        if (known is not None and known.state is ExitState.OPEN) or not unkept:
            return False
        name = exit_id(follow.follow_id, token_id)
        attempts = await self._stores.copies.of_exit(name)
        if exits.kept(attempts, entries).kind is exits.DueKind.WAIT:
            return False
        kept = Kept(own_steps.last_place(entries).after, exits.sold_micros(attempts))
        ids = name, account.account_id, follow.follow_id, token_id
        return await self._stores.exits.keep(*ids, known.version if known else 0, kept, self._lookout.now())

    async def _leave(self, follow: Follow, busy: set[str]) -> bool:
        """A deleted follow is over once nothing is held, owed or under way for it."""
        if follow.state is not FollowState.CLOSING or follow.leaving is Leaving.STAY or follow.follow_id in busy:
            return False
        open_ones = await self._stores.exits.open_ones(follow.account_id)
        if any(one.follow_id == follow.follow_id for one in open_ones):
            return False
        over = partial(changes.over, way=follow.leaving, now=self._lookout.now())
        done = await self._stores.follows.change(follow.follow_id, over) is not None
        if done:
            log.info("follow_closed", follow=follow.follow_id, holdings=str(follow.leaving))
        return done


def _asks(follow: Follow) -> bool:
    return follow.policy.has_own_exits or (
        follow.state is not FollowState.ACTIVE and follow.leaving is not Leaving.STAY
    )


def _tokens(account: Account) -> tuple[str, ...]:
    """What the account holds, has bought or may have bought."""
    risk = account.exposure
    return tuple(sorted({*risk.held, *(intent.token_id for intent in risk.open.values())}))


def _is_over(entries: Sequence[Copy], known: Exit | None) -> bool:
    """Whether nothing of these purchases is the follow's any more, or will be."""
    if any(entry.state in exits.PENDING for entry in entries):
        return False
    left = own(exits.lots(entries), known.kept if known else None)
    if known is None or not left:
        return not left
    return known.state is not ExitState.OPEN and all(remaining(lot.place, known.steps) == 0 for lot in left)
