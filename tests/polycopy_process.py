"""`polycopy` as a person runs it: a process of its own, what it says, and what of it is left afterwards."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

from services.cli.child import is_free
from tests.patience import PATIENT_S

T = TypeVar("T")

BIN = Path(sys.executable).parent
PATIENCE_S = 90.0
LOOK_S = 0.1


class Polycopy:
    """One running command. `family` collects every process that it has had so far, `ports` every port that one of them listened on."""

    def __init__(self, process: subprocess.Popen[bytes], told: Path) -> None:
        self.process = process
        self.family: set[psutil.Process] = set()
        self.ports: set[int] = set()
        self._told = told

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self._told.read_text()

    def look(self) -> None:
        """Note the processes that it has now."""
        try:
            self.family |= set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return

    def note_ports(self) -> None:
        """Note the ports that its processes listen on now."""
        self.look()
        for one in self.alive():
            self.ports |= {found.laddr.port for found in one.net_connections("inet") if found.status == "LISTEN"}

    def alive(self) -> list[psutil.Process]:
        """Those of its processes that still run."""
        return [one for one in self.family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def until(self, found: Callable[[], T | None], within_s: float = PATIENCE_S, every_s: float = LOOK_S) -> T:
        """What `found` says once it says something; fails with the command's words where it ends or time passes first."""
        deadline = time.monotonic() + within_s
        while not (what := found()):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            self.look()
            time.sleep(every_s)
        return what

    def until_said(self, words: str, within_s: float = PATIENCE_S) -> re.Match[str]:
        """The first place where it says something like `words` (a regular expression)."""
        return self.until(lambda: re.search(words, self.text), within_s)

    def ended(self, within_s: float = PATIENCE_S) -> int:
        """Its exit code, once it has ended."""
        deadline = time.monotonic() + within_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self.look()
            time.sleep(LOOK_S)
        return self.process.returncode

    def child(self, words: str) -> psutil.Process:
        """The one process of its family whose command line holds these words."""
        self.look()
        (one,) = [one for one in self.alive() if words in " ".join(one.cmdline())]
        return one

    def nothing_is_left(self) -> None:
        """Every process has ended, every port is free again. The kernel needs a moment where it ends children itself."""
        assert self.family
        assert self.ports
        psutil.wait_procs(self.alive(), timeout=PATIENT_S)
        assert self.alive() == []
        assert [port for port in sorted(self.ports) if not is_free(port)] == []


@contextmanager
def polycopy(*arguments: object, told: Path, env: dict[str, str] | None = None) -> Generator[Polycopy]:
    """The command with its words (both streams) in the file `told`; killed at the end if it still runs."""
    command = [str(BIN / "polycopy"), *map(str, arguments)]
    with (
        told.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env={**plain(), **(env or {})}) as process,
    ):
        running = Polycopy(process, told)
        try:
            yield running
        finally:
            running.look()
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            for one in running.alive():
                one.kill()


def said(*arguments: object, env: dict[str, str] | None = None, given: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a short command."""
    command: Sequence[str] = [str(BIN / "polycopy"), *map(str, arguments)]
    ended = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=False,
        env={**plain(), **(env or {})},
    )
    return ended.returncode, ended.stdout, ended.stderr


def plain() -> dict[str, str]:
    """An environment in which a command starts servers of its own, on an output that is no terminal."""
    return {
        name: value for name, value in os.environ.items() if name not in {"MONGODB_URI", "REDIS_URL", "ENGINE_TARGET"}
    }
