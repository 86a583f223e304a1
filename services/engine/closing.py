"""Closing positions because a person asks for it: the wish is kept first, then owed, so that it is carried out once, whatever dies."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain.account import Account
from services.common.domain.amounts import LOT_MICROS
from services.common.domain.close_request import Ask, CloseRequest, request_key
from services.common.domain.copy import Copy
from services.common.domain.exit import Cause, Place, exit_id, unowned
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.stores import Stores
from services.engine import exits, own_steps
from services.engine.stock import holdings, purchases

log = structlog.get_logger()


class OtherRequest(Exception):
    """A request of this name was made before, for other tokens."""


class NotHeld(Exception):
    """None of the accounts holds this token."""

    def __init__(self, token_id: str) -> None:
        super().__init__(token_id)
        self.token_id = token_id


class Closing:
    """Requests to close, of every account."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def close(
        self, accounts: Sequence[Account], asset_ids: Sequence[str], request_id: str, by: str, now: datetime
    ) -> tuple[str, ...]:
        """Owe everything that these accounts hold of these tokens; the accounts that had anything to close.

        A repetition carries on what the first one asked for and asks for nothing else. Raises `OtherRequest` and `NotHeld` before
        anything is kept.
        """
        wanted = tuple(sorted(set(asset_ids)))
        known = [await self._stores.close_requests.get(request_key(one.account_id, request_id)) for one in accounts]
        if any(one is not None and one.asset_ids != wanted for one in known):
            raise OtherRequest(request_id)
        made = [await self._made(one, wanted, request_id, by, now) for one in accounts]
        requests = [old or new for old, new in zip(known, made, strict=True)]
        held = {ask.token_id for request in requests for ask in request.asks}
        if missing := sorted(set(wanted) - held):
            raise NotHeld(missing[0])
        for request in requests:
            await self._keep(request)
        return tuple(request.account_id for request in requests if request.asks)

    async def _made(
        self, account: Account, wanted: tuple[str, ...], request_id: str, by: str, now: datetime
    ) -> CloseRequest:
        asks = [ask for token_id in wanted for ask in await self._of_token(account, token_id, request_id)]
        key = request_key(account.account_id, request_id)
        return CloseRequest(key, account.account_id, request_id, wanted, tuple(asks), by, now)

    async def _keep(self, request: CloseRequest) -> None:
        # Kept for every account, also where there is nothing to close: what it buys later is not meant.
        kept = await self._stores.close_requests.open(request)
        if kept.asset_ids != request.asset_ids:
            raise OtherRequest(request.request_id)
        await self._carry_out(kept)

    async def carry_on(self, account_id: str) -> bool:
        """Carry out what someone died over; True when there was anything."""
        unfinished = await self._stores.close_requests.unfinished(account_id)
        for request in unfinished:
            await self._carry_out(request)
        return bool(unfinished)

    async def _carry_out(self, request: CloseRequest) -> None:
        if request.done:
            return
        for ask in request.asks:
            name = exit_id(ask.follow_id, ask.token_id)
            await self._stores.exits.owe(name, request.account_id, ask.follow_id, ask.token_id, ask.step, request.at)
            crashpoint("mid_close_positions")
        await self._stores.close_requests.finish(request.key)
        log.info("close_requested", request=request.key, by=request.by, tokens=list(request.asset_ids))

    async def _of_token(self, account: Account, token_id: str, request_id: str) -> list[Ask]:
        """One for each follow that holds the token or may be buying it, and one for what no follow owns."""
        entries = purchases(await self._stores.copies.of_token(account.account_id, token_id))
        held = await holdings(self._stores, token_id, entries)
        asks: list[Ask] = []
        for follow, shares in held.items():
            own = [entry for entry in entries if entry.follow_id == follow]
            if shares >= LOT_MICROS or any(entry.state in exits.PENDING for entry in own):
                asks.append(self._ask(follow, token_id, request_id, own_steps.last_place(own), shares))
        free = _owned_by_none(account, token_id, entries, sum(held.values()))
        if free >= LOT_MICROS:
            last = own_steps.last_place(entries) if entries else Place(0, 0)
            asks.append(self._ask(unowned(account.account_id), token_id, request_id, last, free))
        return asks

    def _ask(self, follow_id: str, token_id: str, request_id: str, last: Place, shares_micros: int) -> Ask:
        step = own_steps.whole(Cause.REQUEST, f"{request_id}|{follow_id}", token_id, last, shares_micros)
        # One step for each follow and token, wherever it was when the request came.
        return Ask(follow_id, token_id, replace(step, key=f"{Cause.REQUEST}|{request_id}|{follow_id}|{token_id}"))


def _owned_by_none(account: Account, token_id: str, entries: Sequence[Copy], follows_micros: int) -> int:
    """Settled shares of the books that no follow holds and no sale has taken."""
    holding = account.exposure.held.get(token_id)
    bought = sum(entry.filled_micros for entry in entries if entry.state is CopyState.EXECUTED)
    mine = (intent for intent in account.exposure.open.values() if intent.token_id == token_id)
    selling = sum(intent.shares_micros for intent in mine if intent.side is Side.SELL)
    return (holding.shares_micros if holding else 0) + bought - selling - follows_micros
