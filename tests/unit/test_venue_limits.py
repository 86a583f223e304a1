"""The venue's limits: windows per address, buckets per signer, as they are documented (venue.md 3.11)."""

import pytest

from services.venue.limits import RULES, TIERS, Admission, Buckets, Windows

HERE, THERE = "127.0.0.1", "127.0.0.2"
SIGNER = "0x" + "77" * 20


def rules(method: str, path: str) -> set[tuple[int, int]]:
    return {window for rule in RULES if rule.covers(method, path) for window in rule.windows}


@pytest.mark.parametrize(
    ("method", "path", "windows"),
    [
        ("GET", "/clob/time", {(9_000, 10_000)}),
        ("GET", "/clob/ok", {(9_000, 10_000), (100, 10_000)}),
        ("POST", "/clob/order", {(9_000, 10_000), (5_000, 10_000), (120_000, 600_000)}),
        ("DELETE", "/clob/orders", {(9_000, 10_000), (2_000, 10_000), (15_000, 600_000)}),
        ("DELETE", "/clob/cancel-all", {(9_000, 10_000), (250, 10_000), (6_000, 600_000)}),
        ("GET", "/clob/data/orders", {(9_000, 10_000), (900, 10_000), (500, 10_000)}),
        ("GET", "/clob/data/order/0x12", {(9_000, 10_000), (900, 10_000)}),
        ("GET", "/clob/notifications", {(9_000, 10_000), (900, 10_000), (125, 10_000)}),
        ("DELETE", "/clob/notifications", {(9_000, 10_000), (125, 10_000)}),
        ("GET", "/clob/auth/derive-api-key", {(9_000, 10_000), (100, 10_000)}),
        ("GET", "/data/positions", {(1_000, 10_000), (150, 10_000)}),
        ("GET", "/data/trades", {(1_000, 10_000), (200, 10_000)}),
        ("GET", "/data/v2/positions", {(800, 10_000), (200, 10_000)}),
        ("GET", "/data/v2/trades", {(800, 10_000), (300, 10_000)}),
        ("GET", "/data/v2/activity", {(800, 10_000), (200, 10_000)}),
        ("GET", "/gamma/markets/keyset", {(4_000, 10_000), (900, 10_000), (300, 10_000)}),
        ("GET", "/gamma/events", {(4_000, 10_000), (900, 10_000), (500, 10_000)}),
        ("GET", "/gamma/public-search", {(4_000, 10_000), (350, 10_000)}),
        ("DELETE", "/clob/order", {(9_000, 10_000), (5_000, 10_000), (120_000, 600_000)}),
        ("POST", "/clob/orders", {(9_000, 10_000), (2_000, 10_000), (21_000, 600_000)}),
        ("DELETE", "/clob/cancel-market-orders", {(9_000, 10_000), (1_500, 10_000), (21_000, 600_000)}),
        ("GET", "/clob/data/trades", {(9_000, 10_000), (900, 10_000), (500, 10_000)}),
        *(
            ("GET", f"/clob/{path}", {(9_000, 10_000), (most, 10_000)})
            for path, most in {
                "book": 1_500,
                "books": 500,
                "price": 1_500,
                "prices": 500,
                "midpoint": 1_500,
                "midpoints": 500,
                "tick-size": 200,
                "prices-history": 1_000,
                "balance-allowance": 200,
                "balance-allowance/update": 50,
            }.items()
        ),
        ("GET", "/data/closed-positions", {(1_000, 10_000), (150, 10_000)}),
        ("GET", "/data/activity", {(1_000, 10_000)}),
        ("GET", "/data/v2/value", {(800, 10_000)}),
        ("GET", "/admin/health", set()),
    ],
)
def test_every_path_has_the_windows_that_are_documented_for_it(method, path, windows):
    assert rules(method, path) == windows


FREE = Admission()


def test_whoever_asks_more_waits_longer_and_longer_and_is_refused_at_last():
    windows = Windows()
    asked = [windows.admit(HERE, "GET", "/clob/ok", now_ms=at) for at in range(0, 1_110, 10)]
    slowed = [Admission(delay_ms=late) for late in range(100, 1_001, 100)]

    assert asked == [*[FREE] * 100, *slowed, Admission(retry_ms=8_900)]
    assert windows.admit(THERE, "GET", "/clob/ok", now_ms=1_100) == FREE
    assert windows.admit(HERE, "GET", "/clob/time", now_ms=1_100) == FREE


def test_a_window_slides():
    windows = Windows()
    for at in range(0, 1_100, 10):
        windows.admit(HERE, "GET", "/clob/ok", now_ms=at)

    # What is refused is not counted, so that the oldest request makes room for one, and eleven for one that does not wait.
    assert windows.admit(HERE, "GET", "/clob/ok", now_ms=9_999) == Admission(retry_ms=1)
    assert windows.admit(HERE, "GET", "/clob/ok", now_ms=10_000) == Admission(delay_ms=1_000)
    assert windows.admit(HERE, "GET", "/clob/ok", now_ms=10_110) == FREE


def test_paths_of_one_group_share_its_window():
    windows = Windows()
    paths = ("/clob/data/orders", "/clob/data/trades")
    asked = [windows.admit(HERE, "GET", paths[turn % 2], now_ms=0) for turn in range(901)]

    assert asked == [*[FREE] * 900, Admission(delay_ms=11)]


def test_nobody_waits_longer_for_a_window_of_ten_minutes_than_for_one_of_ten_seconds():
    windows = Windows()
    # Not so fast that the window of ten seconds would count.
    asked = [windows.admit(HERE, "DELETE", "/clob/cancel-all", now_ms=turn * 50) for turn in range(6_601)]

    assert asked[:6_000] == [FREE] * 6_000
    assert asked[-2].delay_ms == 1_000
    assert asked[-1].retry_ms > 0


def test_a_batch_passes_whole_or_not_at_all_and_tokens_come_back_with_time():
    buckets = Buckets()

    def order(cost: int, now_ms: int):
        return buckets.spend(SIGNER, cost, now_ms, cancels=False, enforced=True)

    assert [order(15, 0).fits for _ in range(5)] == [True] * 4 + [False]
    assert (order(15, 0).remaining, order(15, 0).wait_ms) == (0, 375)
    assert order(15, 374).fits is False
    assert order(15, 375).fits is True
    assert buckets.spend(SIGNER, 120, 375, cancels=True, enforced=True).fits
    assert order(60, 10**6).fits is True
    assert order(61, 10**9).wait_ms > 0


def test_what_is_not_enforced_is_only_told():
    buckets = Buckets()
    spent = [buckets.spend(SIGNER, 60, 0, cancels=False, enforced=False) for _ in range(2)]

    assert [(one.fits, one.remaining, one.tier) for one in spent] == [(True, 0, "Standard"), (False, 0, "Standard")]


@pytest.mark.parametrize(("tier", "left"), [("Standard", -80), ("Gold", 1_000), ("Platinum", 1_150)])
def test_a_cancel_of_everything_costs_what_it_cancels_below_nothing_where_the_tier_may(tier, left):
    buckets = Buckets()
    buckets.assign(SIGNER, tier)

    assert buckets.owe(SIGNER, 200, 0) == left


def test_only_the_high_tiers_are_never_in_debt():
    buckets = Buckets()
    buckets.assign(SIGNER, "Elite")

    assert buckets.owe(SIGNER, 5_000, 0) == 0
    assert [tier.name for tier in TIERS.values() if not tier.debt] == ["Platinum", "Diamond", "Elite"]
