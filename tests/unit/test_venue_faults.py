"""A fault is drawn by its own chance, strikes what it names and nothing else, and says what is wrong with how it is written."""

from pathlib import Path
from typing import Any

import pytest
import typer

from services.venue.__main__ import main
from services.venue.faults.commit import CommitFaults, Ending, Fate
from services.venue.faults.fields import BadFault
from services.venue.faults.file import BadFile, read_file
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry

EVERY = frozenset(Family)
ORDER = {"method": "POST", "path": "/clob/order"}
BOOK = {"method": "GET", "path": "/clob/book"}


class Lines(list[dict[str, Any]]):
    """A journal."""

    def note(self, kind: str, **fields: Any) -> None:
        self.append({"kind": kind, **fields})


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def registry(lines: Lines) -> Registry:
    return Registry(lines.note, 7, EVERY)


def struck(registry: Registry, requests: list[dict[str, str]]) -> list[bool]:
    return [registry.strike(Family.HTTP, one) is not None for one in requests]


def test_what_a_fault_strikes_does_not_hang_on_other_requests_or_faults(lines: Lines):
    often = {"kind": "drop_before", "endpoint": "clob.post_order", "rate_bps": 3_000, "times": 0}
    alone, among = Registry(lines.note, 7, EVERY), Registry(lines.note, 7, EVERY)
    for registry in (alone, among):
        registry.add(often)
    among.add({"kind": "delay", "path": "/clob/book", "rate_bps": 5_000, "times": 0})

    by_itself = struck(alone, [ORDER] * 200)
    mixed = struck(among, [ORDER, BOOK, BOOK] * 200)[::3]

    assert by_itself == mixed
    assert 30 < sum(by_itself) < 90


def test_two_faults_of_one_target_each_draw_for_every_request(registry: Registry, lines: Lines):
    for _ in range(2):
        registry.add({"kind": "delay", "path": "/clob", "rate_bps": 5_000, "times": 0})
    struck(registry, [ORDER] * 400)
    first = sum(line["fault_id"] == 1 for line in lines)

    assert 150 < first < 250
    assert 60 < len(lines) - first < 140, "the second strikes about half of what the first has left"


def test_a_seed_of_its_own_repeats_a_faults_strikes(lines: Lines):
    fault = {"kind": "delay", "path": "/", "rate_bps": 2_500, "times": 0, "seed": 11}
    runs: list[list[bool]] = []
    for seed in (1, 2):
        registry = Registry(lines.note, seed, EVERY)
        registry.add(fault)
        runs.append(struck(registry, [ORDER] * 100))

    assert runs[0] == runs[1]


def test_a_fault_strikes_as_often_as_it_may_and_each_time_leaves_a_line(registry: Registry, lines: Lines):
    registry.add({"kind": "drop_after", "endpoint": "clob.post_order", "times": 2})

    assert struck(registry, [ORDER, BOOK, ORDER, ORDER]) == [True, False, True, False]
    assert [(line["fault"], line["endpoint"]) for line in lines] == [("drop_after", "clob.post_order")] * 2
    assert registry.active[0].told()["struck"] == 2


def test_one_fault_is_taken_away_and_the_others_stay(registry: Registry):
    for path in ("/clob/order", "/clob/book"):
        registry.add({"kind": "delay", "path": path, "times": 0})
    registry.remove(1)

    assert struck(registry, [ORDER, BOOK]) == [False, True]


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"kind": "commit_slow", "ms": 900}, Fate(Ending.MINED, 0, 900)),
        ({"kind": "commit_retry", "tries": 2, "ms": 50}, Fate(Ending.MINED, 2, 50)),
        ({"kind": "commit_fail"}, Fate(Ending.FAILED, 1, 200)),
    ],
)
def test_a_commit_has_its_fate_once(registry: Registry, lines: Lines, fault: dict[str, object], fate: Fate):
    commits = CommitFaults(registry)
    registry.add(fault | {"market": "0xAB"})

    assert [commits.fate(market, "t") for market in ("0xcd", "0xab", "0xab")] == [None, fate, None]
    assert [(line["market"], line["trade_id"]) for line in lines] == [("0xab", "t")]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({}, "kind: expected one of delay"),
        ({"kind": 3, "path": "/"}, "kind: expected one of delay"),
        ({"kind": "delay"}, "path: expected the beginning of a path"),
        ({"kind": "delay", "endpoint": "clob.nothing"}, "endpoint: expected one of clob.create_key"),
        ({"kind": "delay", "path": "/", "ms": 1.5}, "ms: expected a whole number, 0 or more"),
        ({"kind": "delay", "path": "/", "times": True}, "times: expected a whole number, 0 or more"),
        ({"kind": "delay", "path": "/", "rate_bps": 10_001}, "rate_bps: expected a whole number from 0 to 10000"),
        ({"kind": "error_after", "path": "/", "status": 200}, "status: expected a whole number from 400 to 599"),
        ({"kind": "error_after", "path": "/", "headers": {"a": "b\n"}}, "headers: expected names and values"),
        ({"kind": "delay", "path": "/", "tries": 1}, "tries: expected one of endpoint, kind, method, ms"),
        ({"kind": "commit_fail", "market": 5}, "market: expected a condition id"),
    ],
)
def test_a_fault_that_makes_no_sense_names_the_field_and_the_expectation(
    registry: Registry, fault: dict[str, object], text: str
):
    with pytest.raises(BadFault, match=text):
        registry.add(fault)
    assert registry.active == []


def test_a_process_takes_the_faults_of_its_own_families_only(lines: Lines):
    with pytest.raises(BadFault, match="kind: expected one of commit_slow"):
        Registry(lines.note, 1, frozenset({Family.COMMIT})).add({"kind": "delay", "path": "/"})


def test_a_file_gives_each_process_its_own_faults(tmp_path: Path, registry: Registry):
    path = tmp_path / "faults.toml"
    path.write_text(
        '[[fault]]\nkind = "error_before"\nendpoint = "clob.book"\nstatus = 429\nheaders = { "Retry-After" = "2" }\n'
        '[[fault]]\nkind = "commit_fail"\n'
    )
    (commit,) = read_file(path, frozenset({Family.COMMIT}))
    for fault in read_file(path, EVERY):
        registry.add(fault)

    assert commit == {"kind": "commit_fail"}
    assert [fault.kind for fault in registry.active] == ["error_before", "commit_fail"]


def test_a_file_that_two_processes_share_gives_each_the_sockets_of_its_own(tmp_path: Path):
    path = tmp_path / "faults.toml"
    path.write_text("".join(f'[[fault]]\nkind = "frame_drop"\nchannel = "{name}"\n' for name in ("node", "user")))
    sockets = frozenset({Family.SOCKET})

    assert [one["channel"] for one in read_file(path, sockets, ("node",))] == ["node"]
    with pytest.raises(BadFault, match="channel: expected one of node"):
        Registry(Lines().note, 1, sockets, ("node",)).add({"kind": "frame_drop", "channel": "user"})


def test_a_file_names_everything_that_is_wrong_with_it(tmp_path: Path):
    path = tmp_path / "faults.toml"
    path.write_text('note = 1\n[[fault]]\nkind = "explode"\n[[fault]]\nkind = "delay"\npath = "/"\nms = -1\n')
    with pytest.raises(BadFile) as caught:
        read_file(path, EVERY)

    assert [problem.split(" expected")[0] for problem in caught.value.problems] == [
        "note:",
        "fault 1: kind:",
        "fault 2: ms:",
    ]


@pytest.mark.parametrize("text", ["fault = 3", "[fault]\nkind = 'delay'", "[[fault", None])
def test_a_file_that_is_no_list_of_faults_is_refused(tmp_path: Path, text: str | None):
    path = tmp_path / "faults.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadFile, match="expected"):
        read_file(path, EVERY)


def test_a_venue_does_not_start_with_a_file_that_is_wrong(tmp_path: Path):
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "delay"\npath = "/"\nms = "soon"\n')
    with pytest.raises(typer.BadParameter, match="fault 1: ms: expected a whole number, 0 or more"):
        main(faults=path)
