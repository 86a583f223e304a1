"""`polycopy demo` as a person runs it; every figure of its summary is worked out again from the venue's own log."""

import hashlib
import json
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.engine.guards import GUARDS
from tests.polycopy_process import Polycopy, polycopy

pytestmark = pytest.mark.xdist_group("demo")

SERVICES = ("signer", "monitor", "engine", "reconciler", "gateway")
REASONS = {guard.__name__ for guard in GUARDS} | {"nothing_held"}
Line = dict[str, Any]


@dataclass(frozen=True)
class Demo:
    """A demo that has ended: exit code, words, summary, the venue's log, and the logs of its processes."""

    code: int
    text: str
    found: dict[str, Any]
    journal: list[Line]
    folder: Path
    running: Polycopy

    def lines(self, kind: str) -> list[Line]:
        return [line for line in self.journal if line["kind"] == kind]

    @property
    def wallet(self) -> str:
        (funded,) = self.lines("funded")
        return str(funded["wallet"]).lower()

    @property
    def orders(self) -> list[Line]:
        """Ours, as the venue received them."""
        return [line for line in self.lines("order_received") if line["maker"].lower() == self.wallet]

    @property
    def fills(self) -> list[Line]:
        """Ours, as they were mined."""
        return [line for line in self.lines("wallet_fill") if line["wallet"].lower() == self.wallet]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    place = tmp_path_factory.mktemp("demo")
    folder, summary = place / "mesh", place / "summary" / "demo.json"
    with polycopy("demo", "--folder", folder, "--json", summary, "--seed", 7, told=place / "told") as running:
        running.until_said("the mesh is ready")
        running.note_ports()
        code = running.ended(240)
        journal = [json.loads(line) for line in (folder / "venue.jsonl").read_text().splitlines()]
        found = json.loads(summary.read_text()) if summary.exists() else {}
        yield Demo(code, running.text, found, journal, folder, running)


def test_it_succeeds_and_says_why(demo: Demo):
    assert demo.code == 0, demo.text
    assert "every figure agrees with the venue's log" in demo.text
    assert demo.found["problems"] == []


def test_nothing_is_duplicated_lost_or_unreconciled(demo: Demo):
    assert [demo.found[name] for name in ("duplicates", "lost", "discrepancies", "open", "needs_review")] == [0] * 5
    assert demo.found["reconciled"] == demo.found["executed"] > 0


def test_every_leader_trade_is_executed_skipped_or_failed(demo: Demo):
    found = demo.found

    assert found["detected"] == found["executed"] + sum(found["skipped"].values()) + found["failed"] + found["open"]
    assert found["detected"] == found["leader_trades"] == len(demo.lines("leader_fill"))


def test_every_skip_has_the_name_of_a_guard(demo: Demo):
    assert demo.found["skipped"]
    assert set(demo.found["skipped"]) <= REASONS


def test_three_leaders_trade_at_least_thirty_times_with_sells_bursts_and_shared_transactions(demo: Demo):
    fills = demo.lines("leader_fill")
    of_transaction = Counter(fill["tx_hash"] for fill in fills)
    within_a_block = Counter((fill["leader"], fill["block"]) for fill in fills)

    assert len(fills) >= 30
    assert len({fill["wallet"] for fill in fills}) == 3
    assert sum(fill["side"] == "SELL" for fill in fills) >= 8
    assert sum(times >= 5 for times in of_transaction.values()) >= 1
    assert sum(times >= 3 for times in within_a_block.values()) >= 3


def test_the_venue_got_each_order_once_and_each_purchase_has_its_own_copy(demo: Demo):
    taken = [order for order in demo.orders if order["outcome"] == "accepted"]
    skipped_or_failed = sum(demo.found["skipped"].values()) + demo.found["failed"]
    wanted = sum(fill["side"] == "BUY" for fill in demo.lines("leader_fill"))
    bought = {fill["order_hash"] for fill in demo.fills if fill["side"] == "BUY"}

    assert max(Counter(order["raw"] for order in demo.orders).values()) == 1
    assert max(Counter(order["hash"] for order in taken).values()) == 1
    assert demo.found["venue_orders"] == len(taken)
    assert demo.found["orders_sent"] == len({order["hash"] for order in demo.orders})
    assert wanted - skipped_or_failed <= len(bought) <= wanted


def test_what_was_paid_is_what_the_venue_took(demo: Demo):
    usdc = sum(fill["usdc_micros"] for fill in demo.fills)
    fees = sum(fill["fee_micros"] for fill in demo.fills)

    assert usdc > 0
    assert round(demo.found["notional_usdc"] * 1_000_000) == usdc
    assert round(demo.found["fees_usdc"] * 1_000_000) == fees


def test_the_profit_lies_between_losing_and_winning_all_that_is_left(demo: Demo):
    sign = {"BUY": -1, "SELL": 1}
    cash = sum(sign[fill["side"]] * fill["usdc_micros"] - fill["fee_micros"] for fill in demo.fills)
    left = sum(-sign[fill["side"]] * fill["size_micros"] for fill in demo.fills)

    assert left > 0
    assert cash <= round(demo.found["pnl_usdc"] * 1_000_000) <= cash + left


def test_what_is_left_of_a_purchase_is_the_part_that_the_leader_left(demo: Demo):
    leaders, ours = _sums(demo.lines("leader_fill")), _sums(demo.fills)
    alone = [token for token, sums in leaders.items() if len(sums.wallets) == 1 and sums.sold]
    copied_whole = [token for token in alone if ours[token].buys == leaders[token].buys]

    assert len(copied_whole) >= 3
    for token in copied_whole:
        assert ours[token].left == pytest.approx(leaders[token].left, abs=0.002)


def test_the_latencies_have_their_percentiles(demo: Demo):
    steps = demo.found["latency_ms"]

    assert set(steps) == {"detect", "decide", "send", "leader_fill_to_order"}
    for cuts in steps.values():
        assert list(cuts) == ["p50", "p95", "p99", "max"]
        assert cuts["p50"] <= cuts["p95"] <= cuts["p99"] <= cuts["max"]
    assert steps["leader_fill_to_order"]["max"] > 0


def test_every_service_stays_within_200_mib(demo: Demo):
    assert set(demo.found["rss_mib"]) == set(SERVICES)
    assert max(demo.found["rss_mib"].values()) <= 200


def test_the_summary_names_its_seed_its_version_and_its_configuration(demo: Demo):
    assert demo.found["seed"] == 7
    assert demo.found["version"]
    written = (demo.folder / "accounts.toml").read_bytes()
    assert demo.found["config_hash"] == hashlib.sha256(written).hexdigest()[:16]


def test_the_logs_hold_no_error(demo: Demo):
    for name in (*SERVICES, "venue", "node"):
        text = (demo.folder / f"{name}.log").read_text()
        assert "Traceback" not in text, name
        levels = Counter(json.loads(line)["level"] for line in text.splitlines())
        assert levels.keys() <= {"info", "warning"}, (name, text)


def test_nothing_is_left_running(demo: Demo):
    demo.running.nothing_is_left()
    assert "ended with" not in demo.text


def test_the_database_is_not_kept(demo: Demo):
    assert (demo.folder / "venue.jsonl").exists()
    assert not (demo.folder / "mongod").exists()


def test_ctrl_c_ends_it_without_a_summary(tmp_path: Path):
    summary = tmp_path / "demo.json"
    with polycopy("demo", "--folder", tmp_path / "mesh", "--json", summary, told=tmp_path / "told") as running:
        running.until_said("venue is up")
        running.note_ports()
        running.process.send_signal(signal.SIGINT)

        assert running.ended() == 128 + signal.SIGINT
        running.nothing_is_left()
    assert not summary.exists()
    assert "Traceback" not in running.text


def test_progress_is_one_line_for_each_change(demo: Demo):
    progress = [line for line in demo.text.splitlines() if " s  " in line[:12]]

    assert len(progress) > 10
    assert [line for line in progress if "leader trades seen" in line and not line.rstrip()[-1].isalpha()] == []
    told = [line.partition(" s  ")[2] for line in progress]
    assert [one for one, other in pairwise(told) if one == other] == []


class _Sums:
    """What one side did in one token."""

    def __init__(self) -> None:
        self.wallets: set[str] = set()
        self.orders: set[str] = set()
        self.bought = self.sold = 0

    @property
    def buys(self) -> int:
        return len(self.orders)

    @property
    def left(self) -> float:
        return (self.bought - self.sold) / self.bought


def _sums(fills: list[Line]) -> dict[str, _Sums]:
    sums: defaultdict[str, _Sums] = defaultdict(_Sums)
    for fill in fills:
        one = sums[fill["token"]]
        one.wallets.add(fill["wallet"])
        if fill["side"] == "BUY":
            one.orders.add(fill["order_hash"])
            one.bought += fill["size_micros"]
        else:
            one.sold += fill["size_micros"]
    return sums
