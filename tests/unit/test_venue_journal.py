"""The venue's journal: the latest lines in memory, all of them in its file; and what the engine forgets."""

import itertools

import pytest

from services.venue.engine.memory import Hashes, Memory
from services.venue.journal import MARK_EVERY, Journal

COUNT = 2 * MARK_EVERY + 300


@pytest.fixture(params=["its own file", "a file of the caller's"])
def journal(request, tmp_path):
    path = tmp_path / "journal.jsonl" if request.param == "a file of the caller's" else None
    if path:
        path.write_bytes(b'{"seq": 1, "kind": "of another run"}\n')
    opened = Journal(itertools.count(1).__next__, path, kept=100)
    for number in range(COUNT):
        opened.note("line", number=number, text="é" * (number % 7))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "seq", [-1, 0, 1, MARK_EVERY - 1, MARK_EVERY, MARK_EVERY + 1, COUNT - 101, COUNT - 100, COUNT - 1]
)
def test_every_line_behind_a_number_is_answered_from_memory_and_file_alike(journal, seq):
    first = max(seq, 0)

    lines = journal.after(seq)
    assert [line["seq"] for line in lines] == list(range(first + 1, COUNT + 1))
    assert lines[0] == {
        "seq": first + 1,
        "at_ms": first + 1,
        "kind": "line",
        "number": first,
        "text": "é" * (first % 7),
    }


def test_a_line_that_is_written_after_the_file_was_read_comes_behind_all_others(journal):
    journal.after(0)
    journal.note("last")

    assert [line["seq"] for line in journal.after(0)] == list(range(1, COUNT + 2))
    assert journal.after(COUNT + 1) == journal.after(COUNT + 50) == []


def test_what_ended_longest_ago_is_forgotten_first():
    forgotten = []
    memory = Memory(2, forgotten.append)
    for name in "abcd":
        memory.ended(name)

    assert forgotten == ["a", "b"]


def test_no_hash_is_ever_forgotten():
    hashes, names = Hashes(), [f"0x{number:064x}" for number in range(20_000)]
    for name in [*names, *names[:10]]:
        hashes.add(name)

    assert all(name in hashes for name in names)
    assert f"0x{20_000:064x}" not in hashes
