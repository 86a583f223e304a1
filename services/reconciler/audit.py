"""Writes the checkpoints of the audit trail: signed, in the database and in a file outside of it, by one process at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import structlog
from prometheus_client import Counter, Gauge

from services.common.audit.file import CheckpointFile
from services.common.audit.key import AuditKey
from services.common.domain.checkpoint import Checkpoint, Head, following, follows
from services.common.ports.answers import Change
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores

log = structlog.get_logger()

CHECKPOINTS = Counter("polycopy_audit_checkpoints_total", "Checkpoints written")
WAITING = Gauge("polycopy_audit_waiting", "Trails that have changed since the last checkpoint")

NAME = "audit"
LEASE = timedelta(seconds=30)
RENEW_AFTER_S = 10.0
LOOK_S = 1.0
MOST_LEAVES = 5_000


class AuditBroken(Exception):
    """The database and the file tell two stories: nothing is written until somebody has looked."""


class Auditor:
    """Follows the heads of all trails; a checkpoint after `most` changes or `every`, whichever comes first."""

    def __init__(
        self,
        stores: Stores,
        file: CheckpointFile,
        key: AuditKey,
        clock: Clock,
        *,
        holder: str,
        most: int,
        every: timedelta,
    ) -> None:
        self._stores = stores
        self._file = file
        self._key = key
        self._clock = clock
        self._holder = holder
        self._most = most
        self._every = every.total_seconds()
        self._heads: dict[str, Head] = {}
        self._changes = 0
        self._token = ""
        self._since = 0.0
        self._renew_at = 0.0

    async def turn(self) -> None:
        """Follow the trails while this process has the lease. Raises `AuditBroken`, `FileBroken`, `StoreUnavailable`."""
        if not await self._keep():
            return
        last = await self._caught_up()
        self._heads, self._changes, self._since = {}, 0, self._clock.monotonic()
        self._token = last.token if last else ""
        async with aclosing(cast(Any, self._stores.audit.heads(self._token or None))) as changes:
            await self._follow(changes, last)

    async def give_back(self) -> None:
        """Write what is waiting, and let another process go on at once."""
        await self._stores.leases.give_back(NAME, self._holder)

    async def _follow(self, changes: AsyncIterator[Change[Head]], last: Checkpoint | None) -> None:
        coming = asyncio.ensure_future(anext(changes))
        try:
            while await self._keep():
                if (await asyncio.wait({coming}, timeout=LOOK_S))[0]:
                    await self._note(coming.result())
                    coming = asyncio.ensure_future(anext(changes))
                while self._is_due():
                    last = await self._checkpoint(last)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _note(self, change: Change[Head]) -> None:
        self._token = change.token or self._token
        if change.value is not None:
            self._heads[change.value.trail] = change.value
            self._changes += 1
            WAITING.set(len(self._heads))
            return
        # Where nobody knows what has changed, everything may have.
        async for head in self._stores.audit.every_head():
            self._heads[head.trail] = head
            self._changes += 1

    def _is_due(self) -> bool:
        waited = self._clock.monotonic() - self._since
        return bool(self._heads) and (self._changes >= self._most or waited >= self._every)

    async def _checkpoint(self, last: Checkpoint | None) -> Checkpoint:
        chosen = [self._heads[name] for name in sorted(self._heads)[:MOST_LEAVES]]
        # A place from which to go on is only good once everything before it is in a checkpoint.
        token = self._token if len(chosen) == len(self._heads) else (last.token if last else "")
        made = following(last, chosen, await self._stores.now(), token)
        made = replace(made, signature=self._key.sign(made))
        if not await self._stores.audit.add(made):
            raise AuditBroken(f"checkpoint {made.index} was written by another")
        self._file.append(made)
        for head in chosen:
            del self._heads[head.trail]
        if not self._heads:
            self._changes, self._since = 0, self._clock.monotonic()
        WAITING.set(len(self._heads))
        CHECKPOINTS.inc()
        log.info("audit_checkpoint", index=made.index, size=made.size, root=made.root)
        return made

    async def _caught_up(self) -> Checkpoint | None:
        """The last checkpoint, once database and file have the same ones: a crash leaves the file one behind, a restored backup the
        database. What either lacks it gets from the other, if our own key has signed it and it goes on from what is there."""
        kept, stored = self._file.last(), await self._stores.audit.last()
        reached = stored.index if stored else -1
        async for after in self._stores.audit.after(kept.index if kept else -1):
            kept = self._believed(kept, after)
            self._file.append(after)
        if kept is not None and kept.index > reached:
            log.error("audit_rolled_back", database=reached, file=kept.index)
            for after in self._file.after(reached):
                stored = self._believed(stored, after)
                await self._stores.audit.add(after)
        elif (kept and kept.digest) != (stored and stored.digest):
            raise AuditBroken("the last checkpoint of the file is not that of the database")
        if kept is not None and not self._key.has_signed(kept):
            raise AuditBroken(f"checkpoint {kept.index} was signed by another key")
        # What the file brings has no place to go on from: then everything is looked at again.
        return stored

    def _believed(self, last: Checkpoint | None, after: Checkpoint) -> Checkpoint:
        if not (self._key.has_signed(after) and follows(last, after)):
            raise AuditBroken(f"checkpoint {after.index} does not go on from the one before it")
        return after

    async def _keep(self) -> bool:
        if self._clock.monotonic() < self._renew_at:
            return True
        asked = self._clock.monotonic()
        mine = await self._stores.leases.take(NAME, self._holder, LEASE)
        self._renew_at = asked + RENEW_AFTER_S if mine else 0.0
        return mine
