"""Child processes that cannot outlive us: asked to end, then made to, and ended by the kernel if we die first."""

import asyncio
import ctypes
import os
import random
import re
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.cli.failure import CannotRun

PR_SET_PDEATHSIG = 1
PORTS = (20_000, 32_000)


class ChildDied(CannotRun):
    """A child ended by itself; the text names it and shows the end of its log."""


class ChildSilent(CannotRun):
    """A child did not come up in time; the text names it and shows the end of its log."""


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

    def peak_mib(self) -> int | None:
        """The most memory that it has held so far; None where the system does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(peak[1]) // 1024 if peak else None

    def silent(self, seconds: float) -> ChildSilent:
        """What to raise when it has not come up within so many seconds."""
        return ChildSilent(f"{self.name} did not come up within {seconds:.0f} s: {self.tail()}")

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
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL; its exit code."""
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
    """A port on loopback that nobody listens on now, outside of those that the system gives to outgoing connections."""
    while not is_free(port := random.SystemRandom().randrange(*PORTS)):
        pass
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections have just ended is no longer in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _basics() -> dict[str, str]:
    return {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ
    } | {"PYTHONUNBUFFERED": "1"}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
