"""Real traders' recorded histories, replayed whole: what must hold over every one of them, and the command as people run it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from eth_account import Account
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.replay.report import Verdict
from services.common import telemetry
from services.common.config_file import read_policy
from services.common.domain.copy import CopyKind
from services.common.domain.lifecycle import TERMINAL
from services.common.domain.market import Side
from services.common.domain.money import micros
from services.common.polymarket.parse.history import EXPECTED, read_history
from services.engine.decision_record import read_case
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from services.engine.sizing import LEAST_BUY_MICROS
from tests import recordings
from tests.replay_world import Replayed, replay

pytestmark = pytest.mark.xdist_group("replay")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "replay_policy.toml"
MAIN = ("leader_0xe00740bc_trades_v1",)
TWO = ("leader_0xe1df720a_activity_v1", "leader_0x81514a78_activity_v1")
REPEATS = ("leader_0x6031b6ee_trades_v1",)
DAY = ("leader_0x4f3456c5_activity_v1",)
ALL = [MAIN, REPEATS, DAY, TWO[:1], TWO[1:], TWO]
NAMED = {guard.__name__ for guard in GUARDS} | {"nothing_held"}
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


def file_of(name: str) -> Path:
    return recordings.path(f"histories/{name}.json.gz")


@cache
def played(names: tuple[str, ...]) -> Replayed:
    """These histories under the example policy; each is played once for the whole module."""
    return replay(*(read_history(file_of(name).read_bytes()) for name in names), file=read_policy(EXAMPLE))


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    parts = [sys.executable, "-m", "services.cli", "replay", *map(str, arguments)]
    return subprocess.run(parts, cwd=ROOT, env=os.environ | environment, capture_output=True, timeout=300, check=False)


def invoke(*arguments: object):
    """The command in this process, whose logs stay as they are: loggers would keep the runner's stderr, which ends with it."""
    with patch.object(telemetry, "configure"):
        return CliRunner().invoke(app, ["replay", *map(str, arguments)])


over_all = pytest.mark.parametrize("names", ALL, ids=lambda names: " and ".join(name[7:17] for name in names))


@over_all
def test_every_fill_is_counted_once_and_ends(names):
    found = played(names)
    summary, verdicts = found.report.summary, found.report.verdicts

    assert summary["detected"] == summary["leader_trades"] == len(found.lines) == verdicts.total()
    assert summary["detected"] == summary["executed"] + sum(summary["skipped"].values()) + summary["failed"]
    assert (summary["open"], summary["failed"]) == (0, 0)
    assert summary["executed"] == summary["reconciled"] == verdicts[Verdict.COPIED]
    assert all(copy.state in TERMINAL for copy in found.copies)


@over_all
def test_nothing_is_duplicated_lost_or_unreconciled(names):
    found = played(names)

    assert found.report.summary["problems"] == []
    assert found.report.books.comparisons > 0
    assert found.report.books.discrepancies == 0


@over_all
def test_whoever_refuses_is_a_named_guard(names):
    refused = [line for line in played(names).lines if line.verdict is not Verdict.COPIED]

    assert {line.guard for line in refused} <= NAMED
    assert all(line.reason for line in refused)
    assert all(line.guard != "nothing_held" or line.trade.side is Side.SELL for line in refused)
    assert set(played(names).report.summary["skipped"]) <= NAMED


@over_all
def test_a_fill_has_shares_of_ours_exactly_where_it_says_copied(names):
    for line in played(names).lines:
        assert (line.ours.shares_micros > 0) == (line.verdict is Verdict.COPIED), line
        assert (line.ours.usdc_micros > 0) == (line.verdict is Verdict.COPIED), line


@over_all
def test_what_was_bought_less_what_was_sold_is_held(names):
    found = played(names)
    moved: Counter[str] = Counter()
    for fill in (log.fill for log in found.fills):
        moved[fill.token_id] += fill.shares_micros if fill.side is Side.BUY else -fill.shares_micros
    positions = found.ended.world.stores.database.positions.values()

    assert {one.token_id: one.shares_micros for one in positions if one.shares_micros} == {
        token: shares for token, shares in moved.items() if shares
    }


@over_all
def test_cash_adds_up_to_the_micro(names):
    found = played(names)
    flows = sum(
        (log.fill.usdc_micros if log.fill.side is Side.SELL else -log.fill.usdc_micros) - log.fill.fee
        for log in found.fills
    )
    positions = found.ended.world.stores.database.positions.values()

    assert found.cash_micros == micros(read_policy(EXAMPLE).cash_usdc) + flows
    assert sum(one.realized_micros - one.cost_micros for one in positions) == flows
    assert found.report.books.cash_micros == found.cash_micros


@over_all
@pytest.mark.parametrize("side", Side)
def test_the_lines_of_the_report_add_up_to_what_the_chain_says(names, side):
    found = played(names)
    fills = [log.fill for log in found.fills if log.fill.side is side]
    sums = found.report.sides[side]

    assert sums.shares_micros == sum(fill.shares_micros for fill in fills)
    assert sums.usdc_micros == sum(fill.usdc_micros for fill in fills)
    assert sums.fee_micros == sum(fill.fee for fill in fills)


@over_all
def test_no_buy_signs_for_more_than_the_leader_spent(names):
    entries = [copy for copy in played(names).copies if copy.kind is CopyKind.ENTRY and copy.intent]

    assert entries
    for copy in entries:
        assert 0 < copy.intent.fields.maker_amount <= copy.trade.usdc_micros
        assert copy.paid_micros <= copy.intent.fields.maker_amount


@over_all
def test_nothing_is_sold_that_is_not_held_at_that_moment(names):
    held: defaultdict[str, int] = defaultdict(int)
    for fill in (log.fill for log in played(names).fills):
        held[fill.token_id] += fill.shares_micros if fill.side is Side.BUY else -fill.shares_micros
        assert held[fill.token_id] >= 0


@over_all
def test_every_order_passed_all_guards_and_carries_the_accounts_signature(names):
    found = played(names)
    sent = [copy for copy in found.copies if copy.intent]

    assert len(sent) == found.report.summary["orders_sent"] == found.report.summary["venue_orders"]
    for copy in sent:
        assert [verdict.guard for verdict in copy.decision.verdicts if verdict.ok] == [one.__name__ for one in GUARDS]
    for copy in sent[:: max(len(sent) // 20, 1)]:
        intent = copy.intent
        signature = found.ended.world.seal.opened(copy.copy_id, intent.order_hash, intent.signature)
        signer = Account._recover_hash(intent.order_hash, signature=signature)
        assert signer == found.ended.world.account.wallet


@over_all
def test_every_decision_that_was_kept_is_made_again_the_same(names):
    decided = [copy.decision for copy in played(names).copies if copy.decision]

    assert decided
    for kept in decided:
        again = decide(read_case(kept.case)).decision
        assert (again.verdicts, again.at, again.account_seq) == (kept.verdicts, kept.at, kept.account_seq)


@over_all
def test_of_the_fills_that_are_orders_for_the_venue_four_fifths_are_copied(names):
    found = played(names)
    least = found.ended.tape.markets[found.lines[0].trade.condition_id].min_size_micros
    whole = [
        line for line in found.lines if line.trade.shares_micros >= least and line.trade.usdc_micros >= LEAST_BUY_MICROS
    ]

    assert sum(line.verdict is Verdict.COPIED for line in whole) >= 0.8 * len(whole)


def test_the_first_history_is_copied_by_four_fifths_and_more():
    report = played(MAIN).report

    assert (report.sides[Side.BUY].fills, report.sides[Side.SELL].fills) == (711, 289)
    assert report.verdicts[Verdict.COPIED] >= 800
    for sums in report.sides.values():
        assert sums.copied_micros is not None
        assert 800_000 <= sums.copied_micros <= 1_000_000


def test_sales_of_more_than_the_recording_shows_sell_no_more_than_all():
    found = played(MAIN)
    exits = found.ended.world.stores.database.exits.values()
    fractions = [step.fraction for exit_ in exits for step in exit_.steps]

    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert sum(fraction == 1 for fraction in fractions) >= 1


def test_exact_repeats_are_played_each():
    found = played(REPEATS)

    assert found.report.repeats == 32
    assert len(found.lines) == 1_000
    assert len({line.trade.key for line in found.lines}) == 1_000


def test_two_leaders_in_the_same_markets_and_seconds_are_copied_side_by_side():
    both, one, other = played(TWO), played(TWO[:1]), played(TWO[1:])
    seconds = [{(line.trade.condition_id, line.trade.traded_at) for line in found.lines} for found in (one, other)]

    assert seconds[0] & seconds[1], "they do trade at once"
    assert len(both.report.leaders) == 2
    assert len(both.lines) == len(one.lines) + len(other.lines)
    assert both.report.others == {"REDEEM": one.report.others["REDEEM"] + other.report.others["REDEEM"]}
    assert [line.trade.traded_at for line in both.lines] == sorted(line.trade.traded_at for line in both.lines)


def test_rows_that_are_no_fills_are_counted_by_name():
    assert played(DAY).report.others == {"MAKER_REBATE": 1, "REDEEM": 201}
    assert len(played(DAY).lines) == 298


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
