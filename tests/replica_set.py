"""A replica set of three real members, whose primary steps down, is killed, or freezes."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from services.cli import mongod
from services.cli.child import Child, free_port, start
from tests.mesh import eventually

MEMBERS = 3
ELECTION_MS = 2_000
UNANSWERED = 64
"""WriteConcernTimeout: the write is applied, and its client is told of an error."""

ANSWERS = ["insert", "update", "findAndModify", "commitTransaction"]


@dataclass
class ReplicaSet:
    """Three members by their ports."""

    folder: Path
    members: dict[int, Child]

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.members)
        return f"mongodb://{hosts}/?replicaSet={mongod.REPLICA_SET}"

    async def primary(self) -> int:
        """The port of the member that takes writes."""
        return await eventually(self._primary)

    async def _primary(self) -> int | None:
        for port, child in self.members.items():
            if child.alive and (await _ask(port, {"hello": 1}) or {}).get("isWritablePrimary"):
                return port
        return None

    async def step_down(self) -> None:
        """The primary makes room for another."""
        await _ask(await self.primary(), {"replSetStepDown": 5, "force": True, "secondaryCatchUpPeriodSecs": 1})

    async def kill(self) -> None:
        """The primary dies; once there is another, it comes back as a member."""
        port = await self.primary()
        await self.members[port].kill()
        await self.primary()
        await self.serve(port)

    async def freeze(self, seconds: float) -> None:
        """The primary stands still for so long, and then believes for a moment that it still is one."""
        port = await self.primary()
        self.members[port].send(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.members[port].send(signal.SIGCONT)
        await self.primary()

    async def serve(self, port: int) -> None:
        """Start a member and wait until it answers."""
        data = self.folder / str(port)
        data.mkdir(exist_ok=True)
        command = [*mongod.command(data, port), "--setParameter", "enableTestCommands=1"]
        self.members[port] = await start(f"mongod-{port}", command, self.folder / f"{port}.log")
        await eventually(lambda: _ask(port, {"hello": 1}))

    async def leave_unanswered(self, share: float) -> None:
        """From now on the member that is primary applies this share of all writes and says that it may not have."""
        told = {"code": UNANSWERED, "errmsg": "the answer is lost"}
        data = {"failCommands": ANSWERS, "writeConcernError": told}
        await _ask(
            await self.primary(),
            {"configureFailPoint": "failCommand", "mode": {"activationProbability": share}, "data": data},
        )


@asynccontextmanager
async def replica_set(folder: Path) -> AsyncIterator[ReplicaSet]:
    """Three members, one of them primary; nothing of them is left behind."""
    made = ReplicaSet(folder, {})
    try:
        ports = [free_port() for _ in range(MEMBERS)]
        await asyncio.gather(*(made.serve(port) for port in ports))
        members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
        settings = {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": 500}
        await _ask(ports[0], {"replSetInitiate": {"_id": mongod.REPLICA_SET, "members": members, "settings": settings}})
        await made.primary()
        yield made
    finally:
        await asyncio.gather(*(child.kill() for child in made.members.values()))


async def _ask(port: int, command: Mapping[str, Any]) -> dict[str, Any] | None:
    """What one member answers; None where it does not."""
    return await asyncio.to_thread(_answer, port, command)


def _answer(port: int, command: Mapping[str, Any]) -> dict[str, Any] | None:
    client: MongoClient[dict[str, Any]] = MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1_000, socketTimeoutMS=5_000
    )
    try:
        return dict(client.admin.command(dict(command)))
    except OperationFailure:
        raise
    except PyMongoError:
        return None
    finally:
        client.close()
