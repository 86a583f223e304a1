"""Crash points: each name is one place in the code, and a process dies or freezes at the passage that is asked for."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from services.common import crashpoints
from services.common.crashpoints import CRASHPOINTS, Plan, read
from tests.kill_scenarios import SCENARIOS

SERVICES = Path(__file__).resolve().parents[2] / "services"
CALL = re.compile(r"\bcrashpoint\((.*?)\)")
PASSES = (
    "from services.common.crashpoints import crashpoint\nfor n in range(1, 4): print(n, flush=True); crashpoint('{}')\n"
)


def test_every_name_is_passed_in_exactly_one_place():
    files = (file for file in SERVICES.rglob("*.py") if file.name != "crashpoints.py")
    called = Counter(name for file in files for name in CALL.findall(file.read_text()))

    assert called == Counter(f'"{name}"' for name in CRASHPOINTS)


def test_at_every_one_of_them_a_process_is_killed_and_frozen():
    assert SCENARIOS.keys() == CRASHPOINTS


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("", None),
        ("mid_send", Plan("mid_send", 1, signal.SIGKILL)),
        ("mid_send:3", Plan("mid_send", 3, signal.SIGKILL)),
        ("mid_send:3:stop", Plan("mid_send", 3, signal.SIGSTOP)),
    ],
)
def test_a_plan_is_read(text: str, plan: Plan | None):
    assert read(text) == plan


@pytest.mark.parametrize("text", ["nowhere", "mid_send:x", "mid_send:1:halt", ":1", "MID_SEND"])
def test_a_plan_that_would_never_come_about_is_refused(text: str):
    with pytest.raises(ValueError):
        read(text)


def passing(plan: str, point: str = "mid_send", **options: object):
    environment = os.environ | {"POLYCOPY_CRASH": plan}
    command = (sys.executable, "-c", PASSES.format(point))
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=SERVICES.parent)


@pytest.mark.parametrize(("plan", "passed"), [("mid_send", "1"), ("mid_send:2", "12")])
def test_the_process_is_killed_at_the_passage(plan: str, passed: str):
    with passing(plan) as process:
        said = process.communicate(timeout=60)[0]

    assert (process.returncode, said.split()) == (-signal.SIGKILL, list(passed))


@pytest.mark.parametrize("plan", ["", "after_record", "mid_send:4"])
def test_a_point_that_is_not_meant_is_passed(plan: str):
    with passing(plan) as process:
        said = process.communicate(timeout=60)[0]

    assert (process.returncode, said.split()) == (0, ["1", "2", "3"])


def test_a_process_is_frozen_and_goes_on_when_it_is_woken():
    with passing("mid_send:2:stop") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        said = process.communicate(timeout=60)[0]

    assert (process.returncode, said.split()) == (0, ["1", "2", "3"])


STRUCK = """
import sys
from pathlib import Path
from services.common.crashpoints import crashpoint
for line in sys.stdin:
    crashpoint("mid_send"); print(line.strip(), flush=True)
"""


def test_a_process_that_runs_is_struck_by_what_comes_to_stand_in_a_file(tmp_path: Path):
    plan = tmp_path / "crash"
    command = (sys.executable, "-c", STRUCK)
    with subprocess.Popen(
        command,
        env=os.environ | {"POLYCOPY_CRASH": f"@{plan}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=SERVICES.parent,
    ) as process:
        assert process.stdin
        assert process.stdout

        def passes() -> str:
            process.stdin.write("passed\n")
            return process.stdout.readline().strip()

        unarmed = passes()
        plan.write_text("after_record\n")
        elsewhere = passes()
        plan.write_text("mid_send:2\n")
        once = passes()
        plan.unlink()
        disarmed = passes()
        plan.write_text("mid_send:1\n")
        struck = passes()

    assert (unarmed, elsewhere, once, disarmed, struck) == ("passed", "passed", "passed", "passed", "")
    assert process.returncode == -signal.SIGKILL


def test_without_a_plan_nothing_is_counted():
    crashpoints.crashpoint("mid_send")

    assert not crashpoints._trap.passages
