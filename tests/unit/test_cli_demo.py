"""How the demo plays its leaders, what it says on the way, and what it does to the folder that it is given."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from services.cli.demo import _trade as trade
from services.cli.demo import show, write
from services.cli.failure import CannotRun
from services.cli.folder import clear, held
from services.cli.progress import Progress
from services.common.store.memory import MemoryStores
from tests.builders import NOON
from tests.finished_run import a_run


class ScriptedVenue:
    """A venue whose script makes so many leader trades each time that it is played."""

    def __init__(self, trades: int) -> None:
        self.rounds = 0
        self._line = {**a_run().line("leader_fill")}
        self._trades = trades

    async def run_script(self, name: str) -> None:
        self.rounds += 1

    async def script(self) -> dict[str, Any]:
        return {"state": "done", "refused": ["leader-1: no money"]}

    async def journal(self) -> list[dict[str, Any]]:
        return [self._line] * (self.rounds * self._trades)


async def _traded(venue: ScriptedVenue, trades: int) -> None:
    stack: Any = SimpleNamespace(admin=venue, wallets=[], check=lambda: None)
    stores: Any = MemoryStores(lambda: NOON)
    await trade(stack, stores, trades, Progress(Console(file=io.StringIO())))


@pytest.mark.parametrize(("wanted", "rounds"), [(1, 1), (41, 1), (42, 2), (100, 3)])
async def test_the_script_is_played_until_there_are_enough_trades(wanted: int, rounds: int):
    venue = ScriptedVenue(41)

    await _traded(venue, wanted)

    assert venue.rounds == rounds


async def test_leaders_who_do_not_trade_are_not_waited_for():
    with pytest.raises(CannotRun, match=r"after 0 trades.*no money"):
        await _traded(ScriptedVenue(0), 1)


def test_a_long_line_is_not_broken_where_nobody_watches():
    out = io.StringIO()
    words = "41 leader trades seen: " + ", ".join(f"{number} in some state" for number in range(12))

    with Progress(Console(file=out, width=80)) as progress:
        progress.now(words)
        progress.now(words)
        progress.done("the end")

    first, second = out.getvalue().splitlines()
    assert first.endswith(words)
    assert second.endswith("the end")


def test_a_problem_is_shown_whole_whatever_it_holds():
    found = {**a_run().summary(), "rss_mib": {"engine": 9}, "ready_s": 1, "seconds": 2}
    problem = "order [red]0x" + "f" * 200 + " is off"
    out = io.StringIO()

    show({**found, "problems": [problem]}, Console(file=out, width=80))

    assert problem in out.getvalue()
    assert "not proven" in out.getvalue()


def test_a_summary_that_is_proven_says_so():
    out = io.StringIO()

    show({**a_run().summary(), "rss_mib": {}, "ready_s": 1, "seconds": 2}, Console(file=out, width=80))

    assert "every figure agrees with the venue's log" in out.getvalue()


def test_the_summary_is_written_into_folders_that_are_not_there_yet(tmp_path: Path):
    write({"seed": 1}, tmp_path / "a" / "b.json")

    assert (tmp_path / "a" / "b.json").read_text() == '{\n  "seed": 1\n}\n'


def test_only_what_a_mesh_leaves_is_removed(tmp_path: Path):
    ours = ("engine.log", "venue.jsonl", "accounts.toml", "wallet-1.key", "mongod/data")
    theirs = ("thesis.txt", "logs/engine.log", "my.key", "accounts.toml.bak")
    for name in (*ours, *theirs):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    clear(tmp_path)

    assert [name for name in ours if (tmp_path / name).exists()] == []
    assert [name for name in theirs if not (tmp_path / name).exists()] == []


def test_a_folder_is_held_by_one_mesh_at_a_time(tmp_path: Path):
    with held(tmp_path):
        (tmp_path / "engine.log").touch()
        with pytest.raises(CannotRun, match="another mesh runs in"), held(tmp_path):
            pass
        assert (tmp_path / "engine.log").exists()

    with held(tmp_path):
        assert not (tmp_path / "engine.log").exists()
