"""What people may do to trading: stop, start, pause, limit, acknowledge. Every change is one compare-and-set of an account's line."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain import control
from services.common.domain.account import Account, AccountState, Pause, PauseScope
from services.common.domain.copy import Copy
from services.common.limits_table import NotLimits, read_figures, written
from services.common.ports.clock import Clock
from services.common.ports.signer import Halts, SignerHalted, SignerRefused
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.rpc.caller import OPS, Caller
from services.common.rpc.errors import (
    InvalidArgument,
    InvalidFields,
    NotFound,
    PermissionDenied,
    SignerUnavailable,
    StopUnwritten,
    VersionConflict,
    WalletHalted,
)
from services.engine.status import Status

log = structlog.get_logger()

MOST_REVIEWS = 200
LONGEST_NOTE = 200
WRITTEN_S = 4.0
"""What a stop gives to the store, so that its caller hears what was done before he gives up himself."""

NOBODYS: Mapping[str, str] = {}

Change = Callable[[Account], Account | None]


class Controls:
    """Control of the accounts that a caller may see; `version` is this engine's."""

    def __init__(
        self,
        stores: Stores,
        status: Status,
        clock: Clock,
        halts: Halts | None = None,
        ours: Mapping[str, str] = NOBODYS,
    ) -> None:
        """`ours`: the wallets of the accounts that this process works on, by account, known whatever becomes of the store."""
        self._stores = stores
        self._status = status
        self._clock = clock
        self._halts = halts
        self._ours = ours

    async def accounts(self, who: Caller) -> list[Account]:
        """The caller's accounts, all of them for an admin or operator, by their ids."""
        accounts = await self._stores.accounts.all()
        return sorted((one for one in accounts if who.owns(one.owner)), key=lambda account: account.account_id)

    async def chosen(self, who: Caller, account_id: str) -> Sequence[Account]:
        """The account that is named, or all of the caller's. Raises `NotFound`."""
        accounts = await self.accounts(who)
        chosen = [account for account in accounts if not account_id or account.account_id == account_id.lower()]
        if account_id and not chosen:
            raise NotFound("account", account_id)
        return chosen

    async def stop(self, who: Caller, account_id: str) -> None:
        """Halt: nothing is signed, and nothing is journaled from then on. Raises `StopUnwritten` where the store is away: then the signer
        has halted what it could of the accounts of this process, if all of them or one by its id were to be stopped by who may stop any."""
        now = self._clock.now()
        # The signer first: what was journaled a moment ago is not signed any more. It waits for no store.
        meant = [one for one in self._ours if who.sees_all and account_id.lower() in {"", one}]
        halted = await self._unsigned({one: self._ours[one] for one in meant})
        try:
            async with asyncio.timeout(WRITTEN_S):
                chosen = await self.chosen(who, account_id)
                await self._unsigned({one.account_id: one.wallet for one in chosen if one.account_id not in halted})
                await self._each(who, account_id, lambda account: _halted(account, who.name, now))
        except (StoreUnavailable, TimeoutError) as error:
            if not meant or self._halts is None:
                raise StoreUnavailable("not stopped") from error
            self._status.changed(meant)
            raise StopUnwritten(len(halted), [one for one in meant if one not in halted]) from error

    async def reduce(self, who: Caller, account_id: str) -> None:
        """Let exits alone pass; what is halted stays so."""
        now = self._clock.now()
        await self._each(who, account_id, lambda account: control.reduced(account, who.name, "asked", now))

    async def start(self, who: Caller, account_id: str) -> None:
        """Trade, let no other version of the engine do so, and forget the account's best, for which its books are to be compared now.
        Raises `WalletHalted` where the operator has halted the signer."""
        now, version = self._clock.now(), self._status.version
        chosen = await self.chosen(who, account_id)
        for account in chosen:
            await self._signed(account)
        await self._each(who, account_id, lambda account: _started(account, version, who.name, now))
        await asyncio.gather(*(self._stores.results.ask(one.account_id, now) for one in chosen))

    async def pause(self, who: Caller, account_id: str, scope: PauseScope, subject: str) -> None:
        """Hold back new work of a scope."""
        pause = Pause(scope, subject, who.name, self._clock.now())
        await self._each(who, account_id, lambda account: control.paused(account, pause))

    async def resume(self, who: Caller, account_id: str, scope: PauseScope, subject: str) -> None:
        """End a pause."""
        now = self._clock.now()
        await self._each(who, account_id, lambda account: _resumed(account, scope, subject, who.name, now))

    async def repeat(self, who: Caller, account_id: str, token_id: str) -> None:
        """Count the entries of a token anew."""
        if not (token_id.isascii() and token_id.isdecimal() and len(token_id) <= 78):
            raise InvalidArgument("token_id", "the decimal id of an outcome token")
        # The window that the acknowledgement cuts is measured on the database's clock.
        now = await self._stores.now()
        await self._each(who, account_id, lambda account: control.acknowledged(account, token_id, who.name, now))

    async def limit(self, who: Caller, account_id: str, version: int, figures: Mapping[str, str]) -> Account:
        """Tighten at once, raise later. Raises `InvalidFields`, `NotFound` and `VersionConflict`."""
        known = await self._one(who, account_id)
        if not figures:
            raise InvalidArgument("limits", "at least one limit")
        try:
            wanted = read_figures(written(figures), known.limits)
        except NotLimits as error:
            raise InvalidFields([f"limits.{problem}" for problem in error.problems]) from error
        now = await self._stores.now()

        def limited(account: Account) -> Account | None:
            return control.limited(account, wanted, who.name, now) if account.limits_version == version else None

        after = await self._stores.accounts.change(known.account_id, limited)
        if after is None:
            raise VersionConflict(known.limits_version)
        return self._told(after)

    async def confirm(self, who: Caller, account_id: str, raise_id: str) -> Account:
        """Put a raise in force at once: a person's word, and another's than who asked; of two where an operator did.
        Raises `PermissionDenied` and `NotFound`."""
        if who.principal is None:
            raise PermissionDenied("an admin who has logged in")
        return await self._raise(who, account_id, raise_id, control.confirmed)

    async def cancel(self, who: Caller, account_id: str, raise_id: str) -> Account:
        """Take a raise back. Raises `NotFound`."""
        return await self._raise(who, account_id, raise_id, control.cancelled)

    async def reviews(self, who: Caller) -> tuple[Copy, ...]:
        """What wants a review, newest first."""
        accounts = [account.account_id for account in await self.accounts(who)]
        return await self._stores.copies.reviews(accounts, MOST_REVIEWS)

    async def acknowledge(self, who: Caller, copy_id: str, note: str) -> Copy:
        """Say that a copy has been looked at. Raises `NotFound` where none wants it."""
        if len(note) > LONGEST_NOTE:
            raise InvalidArgument("note", f"{LONGEST_NOTE} characters at most")
        copy = await self._stores.copies.get(copy_id)
        owned = {account.account_id for account in await self.accounts(who)}
        if copy is None or copy.account_id not in owned:
            raise NotFound("review", copy_id)
        after = await self._stores.copies.acknowledge(copy_id, who.name, note, await self._stores.now())
        if after is None:
            raise NotFound("review", copy_id)
        self._status.changed([after.account_id])
        return after

    async def _raise(self, who: Caller, account_id: str, raise_id: str, change: Callable[..., Account]) -> Account:
        known = await self._one(who, account_id)
        made = partial(change, raise_id=raise_id, by=who.name, now=await self._stores.now())
        try:
            after = await self._stores.accounts.change(known.account_id, made)
        except control.NotWaiting as error:
            raise NotFound("raise", raise_id) from error
        except control.OwnRaise as error:
            raise PermissionDenied("another admin than the one who asked") from error
        if after is None:
            raise NotFound("account", account_id)
        return self._told(after)

    async def _unsigned(self, wallets: Mapping[str, str]) -> frozenset[str]:
        """Let the signer sign for none of these wallets; the accounts of which it is known that it does not."""
        done = await asyncio.gather(*(self._halt(*one) for one in wallets.items()))
        return frozenset(account for account, halted in zip(wallets, done, strict=True) if halted)

    async def _halt(self, account_id: str, wallet: str) -> bool:
        if self._halts is None:
            return False
        try:
            await self._halts.halt(wallet)
        except SignerRefused as error:
            # One that is away signs nothing, and the account is halted besides: a stop waits for nobody.
            log.warning("signer_not_halted", account=account_id, text=str(error)[:200])
            return False
        return True

    async def _signed(self, account: Account) -> None:
        try:
            if self._halts is not None:
                await self._halts.resume(account.wallet)
        except SignerHalted as error:
            raise WalletHalted([OPS]) from error
        except SignerRefused as error:
            raise SignerUnavailable from error

    async def _one(self, who: Caller, account_id: str) -> Account:
        chosen = await self.chosen(who, account_id)
        if not account_id:
            raise InvalidArgument("account_id", "the id of an account")
        return chosen[0]

    async def _each(self, who: Caller, account_id: str, change: Change) -> None:
        """Change every chosen account; one that cannot be changed keeps no other from it."""
        chosen = [account.account_id for account in await self.chosen(who, account_id)]
        moved = await asyncio.gather(*(self._move(account, change) for account in chosen), return_exceptions=True)
        self._status.changed(chosen)
        for failure in moved:
            if isinstance(failure, BaseException):
                raise failure

    async def _move(self, account_id: str, change: Change) -> None:
        await self._stores.accounts.change(account_id, change)
        crashpoint("mid_stop")

    def _told(self, account: Account) -> Account:
        self._status.changed([account.account_id])
        return account


def _halted(account: Account, by: str, now: datetime) -> Account | None:
    if account.state is AccountState.HALTED:
        return None
    return control.in_state(account, AccountState.HALTED, by, now)


def _started(account: Account, version: str, by: str, now: datetime) -> Account | None:
    known = account.state is AccountState.ACTIVE and account.active_version == version
    if known and (account.exposure.forgets_best or not account.exposure.high_water_micros):
        return None
    return control.started(account, version, by, now)


def _resumed(account: Account, scope: PauseScope, subject: str, by: str, now: datetime) -> Account | None:
    if not any((pause.scope, pause.subject) == (scope, subject) for pause in account.pauses):
        return None
    return control.resumed(account, scope, subject, by, now)
