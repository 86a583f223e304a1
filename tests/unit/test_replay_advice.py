"""What a replay advises where copies are too small: the figure that it names is the one that lifts them."""

import re

import pytest

from services.cli.replay.advice import advice, too_small
from services.cli.replay.model import Model
from services.common.domain.market import Side
from services.common.polymarket.parse.history import read_history
from tests import recordings
from tests.replay_world import a_row, replay, rows

SIZES = (6, 8, 10, 15, 20, 30, 40, 60, 80, 100)
LEAST = Model().min_size_micros


def said(found, least=LEAST):
    return advice(found.report, found.ended.world.follows[0].policy, least)


def some_fills():
    return rows(*(a_row(shares=size, second=30 * place) for place, size in enumerate(SIZES)))


@pytest.mark.parametrize(
    ("policy", "name", "setting"),
    [
        ({"ratio_bps": 1_000}, "ratio_bps", lambda figure: {"ratio_bps": int(figure)}),
        ({"mode": "fixed", "fixed_usdc": "1"}, "fixed_usdc", lambda figure: {"mode": "fixed", "fixed_usdc": figure}),
        (
            {"mode": "proportional", "bankroll_usdc": 10, "leader_bankroll_usdc": 1_000},
            "bankroll_usdc",
            lambda figure: {"mode": "proportional", "bankroll_usdc": figure, "leader_bankroll_usdc": 1_000},
        ),
    ],
    ids=["ratio", "fixed", "proportional"],
)
def test_the_advised_figure_lifts_as_many_buys_as_it_says(policy, name, setting):
    before = replay(some_fills(), policy=policy)
    figure, part = re.search(rf"{name} = ([\d.]+) would lift (\d+) %", said(before)).groups()

    after = replay(some_fills(), policy=setting(figure))

    assert too_small(before.report) > too_small(after.report)
    assert too_small(after.report) <= len(SIZES) * (100 - int(part)) / 100


def test_the_advice_for_tiers_names_their_ratio():
    tiers = {"mode": "tiered", "tiers": [{"from_usdc": 0, "ratio_bps": 500}]}

    assert "a tier of ratio_bps = " in said(replay(some_fills(), policy=tiers))


def test_nothing_is_advised_where_nothing_is_too_small():
    assert said(replay(rows(a_row(shares=100)))) == ""


def test_a_sale_that_is_too_small_is_nothing_to_advise_about():
    found = replay(rows(a_row(shares=100), a_row("SELL", 3, 60)))

    assert found.report.refusals[("sizing", "below_minimum")][Side.SELL] == 1
    assert said(found) == ""


def test_a_tenth_of_a_real_trader_is_mostly_too_small_and_the_report_says_so():
    history = read_history(recordings.path("histories/leader_0x81514a78_activity_v1.json.gz").read_bytes())
    found = replay(history, policy={"ratio_bps": 1_000})
    figure, part = re.search(r"ratio_bps = (\d+) would lift (\d+) %", said(found)).groups()

    assert too_small(found.report) > len(found.lines) / 2
    after = replay(history, policy={"ratio_bps": int(figure)})
    assert too_small(after.report) <= len(after.lines) * (100 - int(part)) / 100
