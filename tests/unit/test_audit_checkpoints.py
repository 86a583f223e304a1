"""Checkpoints are written by one process at a time, in the database and outside of it, and neither is believed over the other."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from services.cli import audit_verify
from services.common.audit.file import CheckpointFile, FileBroken
from services.common.audit.key import AuditKey, AuditKeyRejected
from services.common.audit.spelling import line, write_trail
from services.common.clock import SystemClock
from services.common.domain import control
from services.common.domain.checkpoint import Head, following
from services.common.store.memory import MemoryStores
from services.reconciler.audit import AuditBroken, Auditor
from tests.audit_world import KEY, PUBLIC, STRANGER
from tests.builders import ACCOUNT, NOON, a_copy, an_account
from tests.patience import PATIENT_S


@pytest.fixture
async def stores() -> MemoryStores:
    made = MemoryStores(lambda: datetime.now(tz=NOON.tzinfo))
    await made.accounts.create(control.created(an_account(), "config", NOON))
    return made


def auditor(stores: MemoryStores, path: Path, *, most: int = 1, key: AuditKey = KEY, holder: str = "one") -> Auditor:
    every = timedelta(hours=1)
    return Auditor(stores, CheckpointFile(path), key, SystemClock(), holder=holder, most=most, every=every)


@asynccontextmanager
async def running(*auditors: Auditor) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.turn()) for one in auditors]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(stores: MemoryStores, path: Path, count: int) -> None:
    """So many checkpoints are stored, and outside too."""

    def outside() -> int:
        return path.read_bytes().count(b"\n") if path.exists() else 0

    async with asyncio.timeout(PATIENT_S):
        while min(len(stores.database.checkpoints), outside()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def changed(stores: MemoryStores, version: str) -> None:
    await stores.accounts.change(ACCOUNT, lambda known: control.started(known, version, "ops", NOON))


async def exported(stores: MemoryStores, path: Path) -> list[str]:
    trails = [
        line(write_trail(one.trail, one.content, one.entries, one.attached)) async for one in stores.audit.trails()
    ]
    return [*path.read_text().splitlines(), *trails]


async def test_every_change_reaches_a_checkpoint_that_holds(stores: MemoryStores, tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    async with running(auditor(stores, path)):
        await until(stores, path, 1)
        await stores.copies.insert([a_copy(1)])
        await until(stores, path, 2)
        await changed(stores, "2")
        await until(stores, path, 3)

    made = audit_verify.verify(await exported(stores, path), PUBLIC)

    assert made.findings == []
    assert (made.checkpoints, len(made.hashes), made.fresh) == (3, 2, 0)
    assert CheckpointFile(path).last().digest == (await stores.audit.last()).digest


async def test_a_process_that_takes_over_goes_on_where_the_last_one_ended(stores: MemoryStores, tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    first, second = auditor(stores, path), auditor(stores, path, holder="two")
    async with running(first, second):
        await until(stores, path, 1)
    await first.give_back()
    await changed(stores, "2")
    async with running(second):
        await until(stores, path, 2)

    assert [one.index for one in CheckpointFile(path).after(-1)] == [0, 1]
    assert audit_verify.verify(await exported(stores, path), PUBLIC).findings == []


async def test_what_a_crash_has_kept_from_the_file_is_brought_there(stores: MemoryStores, tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    async with running(auditor(stores, path)):
        await until(stores, path, 1)
        await changed(stores, "2")
        await until(stores, path, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:40])

    await changed(stores, "3")
    async with running(auditor(stores, path)):
        await until(stores, path, 3)

    assert [one.index for one in CheckpointFile(path).after(-1)] == [0, 1, 2]
    assert audit_verify.verify(await exported(stores, path), PUBLIC).findings == []


async def test_a_database_that_was_rolled_back_gets_its_checkpoints_again_and_is_told(
    stores: MemoryStores, tmp_path: Path
):
    path = tmp_path / "audit.jsonl"
    backup = stores.database.accounts[ACCOUNT]
    async with running(auditor(stores, path)):
        await until(stores, path, 1)
        await changed(stores, "2")
        await until(stores, path, 2)

    stores.database.accounts[ACCOUNT] = backup
    del stores.database.checkpoints[1]
    await stores.copies.insert([a_copy(1)])
    async with running(auditor(stores, path)):
        await until(stores, path, 3)

    found = audit_verify.verify(await exported(stores, path), PUBLIC).findings
    assert found == [(f"accounts/{ACCOUNT}", "was cut: a checkpoint has seen entry 2, 1 are left")]


async def test_a_checkpoint_that_nobody_of_us_signed_stops_the_writing(stores: MemoryStores, tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    forged = following(None, [Head("accounts/a", 1, "00")], NOON, "")
    await stores.audit.add(replace(forged, signature=STRANGER.sign(forged)))

    with pytest.raises(AuditBroken, match="checkpoint 0 does not go on"):
        await auditor(stores, path).turn()

    assert not path.exists()


async def test_a_database_and_a_file_that_tell_two_stories_stop_the_writing(stores: MemoryStores, tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    for number, keep in enumerate((stores.audit.add, None)):
        made = following(None, [Head("accounts/a", 1, f"0{number}")], NOON, "")
        made = replace(made, signature=KEY.sign(made))
        if keep is not None:
            await keep(made)
        else:
            CheckpointFile(path).append(made)

    with pytest.raises(AuditBroken, match="is not that of the database"):
        await auditor(stores, path).turn()


def test_nothing_is_appended_behind_another_checkpoint(tmp_path: Path):
    file = CheckpointFile(tmp_path / "audit.jsonl")
    first = following(None, [Head("accounts/a", 1, "00")], NOON, "")
    file.append(first)

    for wrong in (first, following(following(first, [], NOON, ""), [], NOON, "")):
        with pytest.raises(FileBroken):
            file.append(wrong)

    assert file.last().digest == first.digest


def test_a_key_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "audit.key"
    AuditKey.made(path)
    AuditKey.read(path)

    path.chmod(0o640)
    with pytest.raises(AuditKeyRejected, match="others may read it"):
        AuditKey.read(path)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(AuditKeyRejected, match="no unencrypted private key in PEM"):
        AuditKey.read(path)
    with pytest.raises(AuditKeyRejected, match="No such file"):
        AuditKey.read(tmp_path / "none")


async def test_the_verifier_runs_alone_and_says_what_does_not_hold(stores: MemoryStores, tmp_path: Path):
    """Its file alone in an empty folder, as somebody would who does not trust us."""
    path, export, key = tmp_path / "audit.jsonl", tmp_path / "export.jsonl", tmp_path / "key.pem"
    async with running(auditor(stores, path)):
        await until(stores, path, 1)
    lines = await exported(stores, path)
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key.write_bytes(PUBLIC.public_bytes(*form))
    alone = tmp_path / "alone" / "audit_verify.py"
    alone.parent.mkdir()
    alone.write_bytes(Path(audit_verify.__file__).read_bytes())

    def run(text: str) -> tuple[int, str]:
        export.write_text(text)
        command = [sys.executable, "-I", str(alone), str(export), "--key", str(key)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=alone.parent, timeout=PATIENT_S, check=False)
        return done.returncode, done.stdout + done.stderr

    good, bad = run("\n".join(lines)), run("\n".join(lines).replace('"state":"active"', '"state":"halted"'))
    key.write_text("no key")
    unreadable = run("\n".join(lines))

    assert (good[0], good[1].splitlines()[-1]) == (0, "everything holds")
    assert bad[0] == 1
    assert f"accounts/{ACCOUNT}: the document does not say what its last entry vouches for" in bad[1]
    assert unreadable[0] == 2


def test_the_verifier_imports_nothing_of_ours():
    source = Path(audit_verify.__file__).read_text()

    assert "import services" not in source
    assert "from services" not in source
