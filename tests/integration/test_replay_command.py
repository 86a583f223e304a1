"""The command that replays histories, as people run it: the same bytes each time, and one line for what it cannot read."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.common import telemetry
from services.common.domain.money import micros
from services.common.polymarket.parse.history import EXPECTED
from tests import recordings
from tests.replay_world import EXAMPLE, MAIN, TWO, file_of, played

pytestmark = pytest.mark.xdist_group("replay")

ROOT = Path(__file__).parents[2]
SUMMARY = {
    "leader_trades",
    "detected",
    "executed",
    "open",
    "reconciled",
    "skipped",
    "failed",
    "needs_review",
    "duplicates",
    "lost",
    "discrepancies",
    "orders_sent",
    "venue_orders",
    "notional_usdc",
    "fees_usdc",
    "pnl_usdc",
    "latency_ms",
    "seed",
    "version",
    "config_hash",
}


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    parts = [sys.executable, "-m", "services.cli", "replay", *map(str, arguments)]
    return subprocess.run(parts, cwd=ROOT, env=os.environ | environment, capture_output=True, timeout=300, check=False)


def invoke(*arguments: object):
    """The command in this process, whose logs stay as they are: loggers would keep the runner's stderr, which ends with it."""
    with patch.object(telemetry, "configure"):
        return CliRunner().invoke(app, ["replay", *map(str, arguments)])


@pytest.fixture(scope="module", params=[MAIN, pytest.param(TWO, marks=pytest.mark.nightly)], ids=["main", "two"])
def runs(request, tmp_path_factory):
    """Histories, and what the command made of them in two processes that hash and tell the time otherwise."""
    folder, names, made = tmp_path_factory.mktemp("replay"), request.param, []
    for seed, zone in (("0", "UTC"), ("4711", "Asia/Tokyo")):
        out, files = folder / f"{seed}.json", [file_of(name) for name in names]
        run = command(*files, "--policy", EXAMPLE, "--fills", "--json", out, PYTHONHASHSEED=seed, TZ=zone)
        assert run.returncode == 0, run.stderr.decode()
        made.append((run.stdout, out.read_bytes()))
    return names, *made


def test_the_same_replay_gives_the_same_bytes(runs):
    _, one, again = runs

    assert one == again


def test_the_json_has_the_summary_and_a_line_for_every_fill(runs):
    names, (_, written), _ = runs
    found, many = json.loads(written), len(played(names).lines)

    assert found.keys() >= SUMMARY
    assert found["history"]["files"] == [f"{name}.json.gz" for name in names]
    assert many >= 200
    assert [fill["number"] for fill in found["fills"]] == list(range(1, many + 1))
    for fill in found["fills"]:
        copied = fill["decision"] == "copied"
        assert copied == (fill["guard"] == "")
        assert copied == (float(fill["our_shares"]) > 0) == (float(fill["our_usdc"]) > 0)
        assert all(fill[name] for name in ("at", "market", "outcome", "side", "leader_price"))
    refused = Counter(fill["guard"] for fill in found["fills"] if fill["guard"])
    assert refused == found["skipped"]
    for side, name in (("BUY", "buys"), ("SELL", "sells")):
        ours = [fill for fill in found["fills"] if fill["side"] == side]
        assert micros(found[name]["our_usdc"]) == sum(micros(fill["our_usdc"]) for fill in ours)
        if ours:
            share = micros(found[name]["our_usdc"]) * 1_000_000 // micros(found[name]["scaled_usdc"])
            assert micros(found[name]["copied_share"]) == share
    assert {"book", "spread", "depth", "delay", "end date"} <= found["modelled"].keys()
    options = {option for fact in found["modelled"].values() for option in fact["options"].split(", ") if option}
    assert options <= set(re.findall(r"--[a-z-]+", invoke("--help").output))


def test_a_dash_gives_the_json_alone():
    run = command(file_of(TWO[0]), "--policy", EXAMPLE, "--json", "-")

    assert json.loads(run.stdout)["detected"] == 76
    assert (run.returncode, run.stderr) == (0, b"")


def test_the_printed_report_says_what_the_json_does():
    run = command(file_of(TWO[1]), "--policy", EXAMPLE, "--fills")
    text = run.stdout.decode()

    assert run.returncode == 0
    assert run.stderr == b""
    assert len(re.findall(r"^ *\d+ +\d\d-\d\d \d\d:\d\d:\d\d ", text, re.MULTILINE)) == 167
    for part in (
        "Not copied",
        "sizing",
        "below_minimum",
        "Books at the end",
        "Modelled",
        "--spread-ticks",
        "33 REDEEM",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("options", "guard"),
    [
        (("--delay-ms", 31_000), "trade_time"),
        (("--end-hours", 0), "viability"),
        (("--spread-ticks", 11), "viability"),
        (("--depth-shares", 1, "--levels", 1), "slippage"),
        (("--min-shares", 1_000_000), "sizing"),
        (("--fee-bps", 500), "fee_bound"),
    ],
)
def test_the_modelled_facts_are_options_of_the_command(options, guard, tmp_path):
    out = tmp_path / "made" / "out.json"
    assert invoke(file_of(TWO[0]), "--policy", EXAMPLE, "--json", out, *options).exit_code == 0
    found = json.loads(out.read_bytes())

    assert found["skipped"].get(guard, 0) >= 0.5 * found["detected"]


@pytest.fixture
def history(tmp_path):
    file = tmp_path / "history.json"
    file.write_bytes(file_of(TWO[0]).read_bytes())
    return file


BAD = {
    "missing": lambda file: None,
    "a folder": lambda file: file.mkdir(),
    "empty": lambda file: file.write_bytes(b""),
    "binary": lambda file: file.write_bytes(bytes(range(256)) * 20),
    "other JSON": lambda file: file.write_text('{"markets": [1, 2, 3]}'),
    "other rows": lambda file: file.write_text('[{"name": "x"}]'),
    "no rows": lambda file: file.write_text("[]"),
    "truncated gzip": lambda file: file.write_bytes(file_of(TWO[0]).read_bytes()[:-100]),
    "words": lambda file: file.write_text("hello\nworld\n"),
    "no fills": lambda file: file.write_text(
        json.dumps([row for row in recordings.load(f"histories/{TWO[0]}.json.gz") if row["type"] == "REDEEM"])
    ),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_a_file_that_is_no_history_is_one_line_and_code_2(make, tmp_path):
    file = tmp_path / "history"
    make(file)

    run = invoke(file)

    assert run.exit_code == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"{file}: ")
    assert EXPECTED in run.stderr


def test_one_bad_file_among_good_ones_is_named(history, tmp_path):
    run = invoke(history, tmp_path / "other.json")

    assert run.exit_code == 2
    assert run.stderr.startswith(f"{tmp_path / 'other.json'}: No such file or directory")


def test_a_bad_policy_is_refused_with_every_path_in_it(history, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("cash = 1\n[policy]\nratio = 5\n[limits]\nmax_order_usdc = -1\n")

    run = invoke(history, "--policy", policy)

    assert run.exit_code == 2
    assert run.stderr.splitlines() == [
        f"--policy {policy}: policy.ratio: not a setting",
        f"--policy {policy}: cash: not a setting",
        f"--policy {policy}: limits.max_order_usdc: must be above 0",
    ]


@pytest.mark.parametrize(
    "options",
    [("--policy", "absent.toml"), ("--tick", "0.03"), ("--spread-ticks", "0"), ("--delay-ms", "-1"), ("--nope",)],
    ids=" ".join,
)
def test_options_that_make_no_sense_end_with_code_2(options, history):
    run = invoke(history, *options)

    assert run.exit_code == 2
    assert options[0] in run.stderr
    assert "Traceback" not in run.stderr


def test_a_report_that_cannot_be_written_is_one_line(history):
    run = invoke(history, "--json", history.parent)

    assert (run.exit_code, run.stderr) == (2, f"--json {history.parent}: Is a directory\n")


def test_the_help_names_what_it_takes_and_what_its_codes_mean():
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", invoke("--help").output).split())

    for part in ("JSON lines", "CSV", "gzip", "examples/replay_policy.toml", "same bytes", "Exits with", "--delay-ms"):
        assert part in text
