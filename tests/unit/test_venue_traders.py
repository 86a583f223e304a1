"""The venue's own traders: wallets, quotes and scripts follow from the seed alone."""

from collections import Counter

from services.venue.model import Side
from services.venue.traders.demo import MARKETS, demo
from services.venue.traders.ladder import Rung, fair_micros, ladder, missing
from services.venue.traders.steps import Rest, Take
from services.venue.traders.wallets import cast_of

SHARE = 1_000_000
CENT = 10_000


def test_the_same_seed_gives_the_same_wallets_and_another_seed_gives_others():
    assert [one.address for one in cast_of(7).values()] == [one.address for one in cast_of(7).values()]
    assert not {one.address for one in cast_of(7).values()} & {one.address for one in cast_of(8).values()}


def test_the_demo_is_the_same_for_the_same_seed_and_differs_for_another():
    assert demo(7) == demo(7)
    assert demo(7) != demo(8)


def test_the_demo_has_thirty_leader_trades_of_three_leaders_within_forty_five_seconds():
    steps = demo(1)
    rows: Counter[str] = Counter()
    for step in steps:
        rows[step.action.trader] += len(step.action.sizes_micros) if isinstance(step.action, Rest) else 1

    assert sum(rows.values()) >= 30
    assert set(rows) == {"leader-1", "leader-2", "leader-3"}
    assert steps[-1].at_ms < 40_000


def test_the_demo_has_bursts_sweeps_and_five_resting_orders_eaten_at_once():
    steps = demo(1)
    seconds = Counter((step.action.trader, step.at_ms // 1_000) for step in steps)
    takes = [step.action for step in steps if isinstance(step.action, Take)]

    assert max(seconds.values()) >= 4
    assert any(take.side is Side.BUY and take.levels >= 3 for take in takes)
    assert any(len(step.action.sizes_micros) == 5 for step in steps if isinstance(step.action, Rest))
    assert {take.fraction_bps for take in takes if take.side is Side.SELL} == {1_000, 5_000, 10_000}


def test_nobody_in_the_demo_sells_what_he_has_not_bought():
    held: Counter[tuple[str, int, int]] = Counter()
    for step in demo(3):
        action = step.action
        key = (action.trader, action.market, action.outcome)
        sizes = sum(action.sizes_micros) if isinstance(action, Rest) else action.shares_micros
        if action.side is Side.BUY:
            held[key] += sizes
            continue
        sold = sizes or held[key] * action.fraction_bps // 10_000 if isinstance(action, Take) else sizes
        assert 0 < sold <= held[key]
        held[key] -= sold


def test_the_demo_stays_within_its_markets():
    assert {step.action.market for step in demo(1)} == set(range(MARKETS))


def test_a_ladder_surrounds_the_fair_price_and_stays_on_the_grid():
    for tick in (10_000, 5_000, 1_000, 100):
        for place in range(12):
            fair = fair_micros(1, place, tick)
            rungs = ladder(fair, tick)
            assert all(rung.price_micros % tick == 0 and tick <= rung.price_micros <= SHARE - tick for rung in rungs)
            assert all((rung.price_micros < fair) == (rung.side is Side.BUY) for rung in rungs)


def test_only_what_was_eaten_is_quoted_again_in_whole_lots():
    wanted = (Rung(Side.BUY, 40 * CENT, 100 * SHARE), Rung(Side.SELL, 42 * CENT, 100 * SHARE))
    resting = {(Side.BUY, 40 * CENT): 97 * SHARE, (Side.SELL, 42 * CENT): 30 * SHARE - 1}

    assert missing(wanted, resting, 5 * SHARE) == (Rung(Side.SELL, 42 * CENT, 70 * SHARE),)
