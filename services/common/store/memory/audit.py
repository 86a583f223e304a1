"""`Audit` in memory."""

from collections.abc import AsyncIterator, Iterator, Mapping

from services.common.domain import contents, refused_tokens
from services.common.domain.checkpoint import Checkpoint, Head
from services.common.domain.trail import Trail
from services.common.ports.answers import Change
from services.common.ports.audit import Told
from services.common.store.memory.database import MemoryDatabase


class MemoryAudit:
    """The trails in memory; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def heads(self, token: str | None) -> AsyncIterator[Change[Head]]:
        # An empty place is none of the feed's: it begins with the resync that is wanted.
        async for change in self._db.head_feed.watch(token or ""):
            yield change

    async def every_head(self) -> AsyncIterator[Head]:
        await self._db.turn()
        for name, _, trail, _ in list(self._documents()):
            if trail:
                yield Head(name, trail[-1].seq, trail[-1].digest)

    async def trails(self) -> AsyncIterator[Told]:
        await self._db.turn()
        for name, content, trail, attached in list(self._documents()):
            moved = self._db.trails.get(name, {})
            yield Told(name, content, (*(moved[seq] for seq in sorted(moved)), *trail), attached)

    def _documents(self) -> Iterator[tuple[str, contents.Content, Trail, Mapping[str, object]]]:
        for key, account in sorted(self._db.accounts.items()):
            yield f"accounts/{key}", contents.of_account(account), account.trail, {}
        for key, copy in sorted(self._db.copies.items()):
            yield f"user_activities/{key}", contents.of_copy(copy), copy.trail, contents.attached(copy)
        for key, follow in sorted(self._db.follows.items()):
            yield f"follows/{key}", contents.of_follow(follow), follow.trail, {}
        for key, user in sorted(self._db.users.items()):
            yield f"users/{key}", contents.of_user(user), user.trail, {}
        for key, day in sorted(self._db.log_ins.items()):
            yield f"log_ins/{key}", contents.of_log_ins(key), day.trail, {}
        for key, refused in sorted(self._db.refused_tokens.items()):
            yield f"refused_tokens/{key}", refused_tokens.content(refused), refused.trail, {}

    async def add(self, checkpoint: Checkpoint) -> bool:
        await self._db.turn()
        return self._db.checkpoints.setdefault(checkpoint.index, checkpoint) is checkpoint

    async def last(self) -> Checkpoint | None:
        await self._db.turn()
        return self._db.checkpoints[max(self._db.checkpoints)] if self._db.checkpoints else None

    async def after(self, index: int) -> AsyncIterator[Checkpoint]:
        await self._db.turn()
        for known in sorted(self._db.checkpoints):
            if known > index:
                yield self._db.checkpoints[known]
