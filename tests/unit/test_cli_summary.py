"""The figures of a run, each from the stores or the venue's own log."""

import pytest

from services.cli.summary import ok
from services.common.domain.lifecycle import CopyState
from tests.builders import a_copy
from tests.finished_run import Run, a_run, hashes_of


@pytest.fixture
def run() -> Run:
    return a_run()


def test_books_that_agree_with_the_venues_log_are_proven(run: Run):
    found = run.summary()

    assert found["problems"] == []
    assert ok(found)
    counted = ("leader_trades", "detected", "executed", "open", "reconciled", "failed", "needs_review")
    assert [found[name] for name in counted] == [2, 2, 2, 0, 2, 0, 0]
    assert [found[name] for name in ("duplicates", "lost", "discrepancies", "skipped")] == [0, 0, 0, {}]
    assert (found["orders_sent"], found["venue_orders"]) == (2, 2)
    assert (found["notional_usdc"], found["fees_usdc"]) == (7.2, 0.029)
    # Got 2.2 for four of ten shares that cost 5.02 with fee, less 0.009; six are left, worth three.
    assert found["pnl_usdc"] == pytest.approx(2.2 - 0.009 + 3 - 5.02)
    assert found["latency_ms"]["detect"]["max"] == 0
    assert (found["seed"], found["version"], found["config_hash"]) == (1, "1.0", "c0ffee")


def test_a_run_in_which_nothing_was_copied_proves_nothing(run: Run):
    run.copies.clear()
    run.fills.clear()
    run.positions.clear()
    run.lines.clear()

    assert run.summary()["problems"] == []
    assert not ok(run.summary())


def test_counts_are_of_leader_trades_each_once(run: Run):
    run.copies["skipped"] = a_copy(3, state=CopyState.SKIPPED, skip_reason="sizing")
    run.copies["failed"] = a_copy(4, state=CopyState.FAILED, failure="no_match")
    run.copies["open"] = a_copy(5)
    run.lines += [{**run.line("leader_fill"), **hashes_of(number)} for number in (3, 4, 5)]

    found = run.summary()

    assert found["detected"] == found["leader_trades"] == 5
    assert (found["executed"], found["skipped"], found["failed"], found["open"]) == (2, {"sizing": 1}, 1, 1)
