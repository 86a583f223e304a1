"""Real traders' recorded histories, replayed whole: what must hold over every one of them."""

from collections import Counter, defaultdict

import pytest
from eth_account import Account

from services.cli.replay.report import Verdict
from services.common.config_file import read_policy
from services.common.domain.copy import CopyKind
from services.common.domain.lifecycle import TERMINAL
from services.common.domain.market import Side
from services.common.domain.money import micros
from services.engine.decision_record import read_case
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from services.engine.sizing import LEAST_BUY_MICROS
from tests.replay_world import EXAMPLE, MAIN, TWO, played

pytestmark = pytest.mark.xdist_group("replay")

REPEATS = ("leader_0x6031b6ee_trades_v1",)
DAY = ("leader_0x4f3456c5_activity_v1",)
ALL = [MAIN, REPEATS, DAY, TWO[:1], TWO[1:], TWO]
NAMED = {guard.__name__ for guard in GUARDS} | {"nothing_held"}


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
