"""Child processes that cannot outlive us: asked to end, then made to, and ended by the kernel if we die first."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


class ChildDied(Exception):
    """A child ended by itself; the text names it and shows the end of its log."""


class Child:
    """One running process with its log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def check(self) -> None:
        """Raise `ChildDied` when it has ended."""
        if not self.alive:
            raise ChildDied(f"{self.name} ended with {self._process.returncode}: {self.tail()}")

    def tail(self, size: int = 600) -> str:
        """The end of its log, on one line."""
        return (
            self.log.read_bytes()[-size:].decode(errors="replace").strip().replace("\n", " | ")
            if self.log.exists()
            else ""
        )

    def send(self, which: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if self.alive:
            self._process.send_signal(which)

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()

    async def stop(self, grace_s: float = 12.0) -> int:
        """SIGTERM, then SIGKILL after `grace_s`; its exit code."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await self._process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self._process.wait()


async def start(name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> Child:
    """Start a process whose output goes to `log`; it gets only `env` besides what every process needs."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**_basics(), **(env or {})},
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    return Child(name, process, log)


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _basics() -> dict[str, str]:
    return {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ
    } | {"PYTHONUNBUFFERED": "1"}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
