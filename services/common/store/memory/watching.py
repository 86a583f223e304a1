"""`Follows`, `Leaders`, `Leases` and `DeadLetters` in memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from services.common.domain.dead_letter import DeadLetter
from services.common.domain.follow import Follow
from services.common.ports.accounts import Leader
from services.common.store.memory.database import MemoryDatabase, add


class MemoryFollows:
    """`follows` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._follows: dict[str, Follow] = database.follows

    async def create(self, follow: Follow) -> bool:
        await self._db.turn()
        pairs = {(known.account_id, known.leader) for known in self._follows.values()}
        new = (follow.account_id, follow.leader) not in pairs and add(self._follows, follow.follow_id, follow)
        if new:
            self._db.grown("follows", follow.follow_id, follow.trail)
        return new

    async def get(self, follow_id: str) -> Follow | None:
        await self._db.turn()
        return self._follows.get(follow_id)

    async def all(self) -> tuple[Follow, ...]:
        await self._db.turn()
        return tuple(self._follows[follow_id] for follow_id in sorted(self._follows))

    async def change(self, follow_id: str, change: Callable[[Follow], Follow | None]) -> Follow | None:
        await self._db.turn()
        known = self._follows.get(follow_id)
        after = change(known) if known else None
        return self._keep(after) if after else None

    def _keep(self, follow: Follow) -> Follow:
        follow = replace(follow, trail=self._db.shortened("follows", follow.follow_id, follow.trail))
        self._db.grown("follows", follow.follow_id, follow.trail)
        self._follows[follow.follow_id] = follow
        return follow


class MemoryLeaders:
    """`leaders` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._leaders: dict[str, Leader] = {}

    async def get(self, address: str) -> Leader | None:
        await self._db.turn()
        return self._leaders.get(address)

    async def all(self) -> tuple[Leader, ...]:
        await self._db.turn()
        return tuple(self._leaders[address] for address in sorted(self._leaders))

    async def start(self, leader: Leader) -> bool:
        await self._db.turn()
        return add(self._leaders, leader.address, leader)

    async def advance(self, leader: Leader) -> bool:
        await self._db.turn()
        known = self._leaders.get(leader.address)
        if known is None or known.cursor_block > leader.cursor_block:
            return False
        self._leaders[leader.address] = leader
        return True


class MemoryLeases:
    """Leases in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def take(self, name: str, holder: str, lease: timedelta) -> bool:
        await self._db.turn()
        known = self._db.leases.get(name)
        if known is not None and known[0] != holder and known[1] > self._db.now():
            return False
        self._db.leases[name] = (holder, self._db.later(lease))
        return True

    async def give_back(self, name: str, holder: str) -> None:
        await self._db.turn()
        if self._db.leases.get(name, ("",))[0] == holder:
            del self._db.leases[name]


class MemoryDeadLetters:
    """`dead_letters` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._letters: dict[str, DeadLetter] = {}

    async def add(self, letter: DeadLetter) -> None:
        await self._db.turn()
        known = self._letters.get(letter.digest)
        self._letters[letter.digest] = replace(known, count=known.count + 1) if known else letter

    async def all(self) -> tuple[DeadLetter, ...]:
        await self._db.turn()
        return tuple(self._letters[digest] for digest in sorted(self._letters))
