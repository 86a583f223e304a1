"""Children that end when they are told to, ports that are free, and signals that cancel."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest

from services.cli.addresses import Addresses
from services.cli.child import Child, ChildDied, free_port, is_free, start
from services.cli.interrupt import Interrupted, interruptible
from services.cli.waiting import together
from tests.patience import PATIENT_S

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


async def _python(folder: Path, code: str) -> Child:
    return await start("child", [sys.executable, "-c", code], folder / "child.log")


async def _said(child: Child, words: str) -> None:
    async with asyncio.timeout(PATIENT_S):
        while words not in child.tail():  # noqa: ASYNC110  what is waited for happens in another process
            await asyncio.sleep(0.02)


async def test_a_child_ends_when_it_is_asked(tmp_path: Path):
    child = await _python(tmp_path, "import time; time.sleep(600)")

    assert await child.stop() == -signal.SIGTERM
    assert not child.alive


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path):
    child = await _python(tmp_path, DEAF)
    await _said(child, "deaf")

    assert await child.stop(grace_s=0.05) == -signal.SIGKILL


async def test_a_child_that_died_is_told_with_the_end_of_its_log(tmp_path: Path):
    child = await _python(tmp_path, "import sys; sys.exit('out of\\nluck')")
    await child.wait()

    with pytest.raises(ChildDied, match=r"child ended with 1: out of \| luck"):
        child.check()


async def test_a_child_that_is_silent_is_told_with_the_end_of_its_log(tmp_path: Path):
    child = await _python(tmp_path, DEAF)
    await _said(child, "deaf")

    assert str(child.silent(60)) == "child did not come up within 60 s: deaf"
    await child.kill()


async def test_a_child_sees_nothing_of_our_environment_but_the_basics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JWT_SECRET", "not for children")
    child = await _python(tmp_path, "import os; print(sorted(os.environ))")
    await child.wait()

    assert "JWT_SECRET" not in child.tail()
    assert "PATH" in child.tail()


async def test_the_memory_of_a_child_is_its_peak(tmp_path: Path):
    child = await _python(
        tmp_path, "import time; x = b'1' * 150_000_000; del x; print('done', flush=True); time.sleep(600)"
    )
    small = await _python(tmp_path / "other", DEAF)
    await _said(child, "done")

    assert (child.peak_mib() or 0) > 140
    assert 0 < (small.peak_mib() or 0) < 100
    await asyncio.gather(child.kill(), small.kill())


def test_a_port_that_is_listened_on_is_not_free():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        assert not is_free(port)
        assert Addresses(engine=port).taken(("mongod", "valkey"))[-1:] != ()
        assert f"{port} (engine)" in Addresses(engine=port).taken()
        assert f"{port} (mongod)" not in Addresses(mongod=port).taken(elsewhere=("mongod",))
    assert is_free(port)


def test_free_ports_are_none_that_outgoing_connections_get():
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert all(port < max(first_outgoing, 32_001) for port in (free_port() for _ in range(50)))


def test_free_addresses_are_all_different():
    made = Addresses.free()

    ports = [getattr(made, name) for name in Addresses.__slots__]
    assert len(set(ports)) == len(ports)
    assert made.taken() == ()


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_the_work_and_lets_it_end_in_order(which: signal.Signals):
    told: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), which)
            await asyncio.sleep(60)
        finally:
            told.append("ended in order")

    with pytest.raises(Interrupted) as caught:
        await interruptible(work())

    assert caught.value.which is which
    assert told == ["ended in order"]


async def test_a_second_signal_cancels_the_ending():
    told: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told.append("in a hurry")
                raise

    with pytest.raises(Interrupted):
        await interruptible(work())

    assert told == ["in a hurry"]


async def test_work_that_ends_by_itself_gives_its_result():
    async def work() -> int:
        return 7

    assert await interruptible(work()) == 7


async def test_what_fails_is_told_once_the_others_have_ended():
    told: list[str] = []

    async def fails() -> None:
        raise LookupError("no such part")

    async def works() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            told.append("ended")

    with pytest.raises(LookupError):
        await together(works(), fails(), works())

    assert told == ["ended", "ended"]


async def test_a_child_dies_with_its_parent(tmp_path: Path):
    code = f"""
import asyncio, sys
from pathlib import Path
from services.cli.child import start
async def main():
    child = await start("grandchild", [sys.executable, "-c", {DEAF!r}], Path({str(tmp_path / "grandchild.log")!r}))
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""
    parent = await _python(tmp_path, code)
    async with asyncio.timeout(PATIENT_S):
        while not parent.tail().isdigit():
            parent.check()
            await asyncio.sleep(0.02)
    grandchild = psutil.Process(int(parent.tail()))

    await parent.kill()

    psutil.wait_procs([grandchild], timeout=PATIENT_S)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
