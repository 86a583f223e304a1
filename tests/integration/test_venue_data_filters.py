"""Trades and positions of the Data API by every filter and in every order that they are served in."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.venue_process import Venue
from tests.venue_web import SHARE, mined, rows, trade, traders

pytestmark = pytest.mark.xdist_group("watched venue")

LEADER = "leader-3"
Row = dict[str, Any]

# Each parameter of /trades as the two versions spell it.
ONE = {"path": "/data/trades", "taker": "takerOnly", "type": "filterType", "amount": "filterAmount", "market": "market"}
TWO = {
    "path": "/data/v2/trades",
    "taker": "taker_only",
    "type": "filter_type",
    "amount": "filter_amount",
    "market": "condition",
}


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


@pytest.fixture
async def busy(web) -> str:
    """The address of a leader with four positions, two of them in one market, and two that he has sold, of different sizes."""
    address = (await traders(web))[LEADER]
    known = await rows(web, "/data/trades", user=address, side="SELL", takerOnly="false")
    if len(known) < 3:
        for market, outcome, shares in ((0, 0, 100), (0, 1, 12), (1, 1, 40), (2, 0, 10), (3, 1, 25), (3, 0, 15)):
            await mined(
                web, await trade(web, LEADER, market=market, outcome=outcome, side="BUY", shares_micros=shares * SHARE)
            )
        await mined(web, await trade(web, LEADER, market=0, side="SELL", shares_micros=30 * SHARE))
        for outcome in (0, 1):
            sale = {"market": 3, "outcome": outcome, "side": "SELL", "shares_micros": 0, "fraction_bps": 10_000}
            await mined(web, await trade(web, LEADER, **sale))
    return address


def listed(answer: Any) -> list[Row]:
    return answer if isinstance(answer, list) else answer["data"]


@pytest.mark.parametrize("names", [ONE, TWO], ids=["version one", "version two"])
async def test_trades_are_narrowed_by_every_filter(web, busy, names):
    always = {"user": busy, "limit": 500, names["taker"]: "false"}

    async def shown(**more: Any) -> list[Row]:
        return listed(await rows(web, names["path"], **always, **more))

    every = await shown()
    market = every[0].get("conditionId") or every[0]["condition_id"]
    sizes = sorted({row["size"] for row in every})
    cash = sorted({round(row["size"] * row["price"], 4) for row in every})
    between, oldest = (cash[0] + cash[1]) / 2, every[-1]["timestamp"]
    expected: list[tuple[Row, Callable[[Row], bool]]] = [
        ({"side": "SELL"}, lambda row: row["side"] == "SELL"),
        ({names["market"]: market}, lambda row: market in (row.get("conditionId"), row.get("condition_id"))),
        ({names["type"]: "TOKENS", names["amount"]: sizes[1]}, lambda row: row["size"] >= sizes[1]),
        ({names["type"]: "CASH", names["amount"]: f"{between:.6f}"}, lambda row: row["size"] * row["price"] > between),
        ({"start": oldest + 1}, lambda row: row["timestamp"] > oldest),
        ({"end": oldest}, lambda row: row["timestamp"] <= oldest),
    ]

    for asked, fits in expected:
        wanted = [row for row in every if fits(row)]
        assert 0 < len(wanted) < len(every), asked
        assert await shown(**asked) == wanted, asked


async def test_trades_of_version_one_come_in_pages_by_offset(web, busy):
    every = await rows(web, "/data/trades", user=busy, limit=500)

    assert await rows(web, "/data/trades", user=busy, limit=2, offset=1) == every[1:3]


async def test_trades_of_version_two_are_those_of_everybody_of_one_or_of_a_market(web, busy):
    everybody = (await rows(web, "/data/v2/trades", limit=1000, taker_only="false"))["data"]
    market = everybody[0]["condition_id"]
    of_market = (await rows(web, "/data/v2/trades", limit=1000, condition=market, taker_only="false"))["data"]
    several = (await rows(web, "/data/v2/trades", user=f"{busy},{everybody[0]['proxy_wallet']}"))["data"]
    nobodys = await web.get("/data/v2/trades", params={"start": 1})

    assert len({row["proxy_wallet"] for row in everybody}) > 2
    assert of_market == [row for row in everybody if row["condition_id"] == market]
    assert several == []
    assert (nobodys.status_code, nobodys.json()["parameter"]) == (400, "start")


async def test_activity_of_version_two_is_narrowed_and_turned_round(web, busy):
    async def shown(**more: Any) -> list[Row]:
        return (await rows(web, "/data/v2/activity", user=busy, limit=1000, **more))["data"]

    every = await shown()
    market, oldest = every[0]["condition_id"], every[-1]["timestamp"]

    assert await shown(side="SELL") == [row for row in every if row["side"] == "SELL"] != []
    assert await shown(condition=market) == [row for row in every if row["condition_id"] == market] != every
    assert await shown(start=oldest + 1) == [row for row in every if row["timestamp"] > oldest] != []
    assert await shown(end=oldest) == [row for row in every if row["timestamp"] <= oldest] != every
    assert await shown(type="TRADE") == [row for row in every if row["type"] == "TRADE"] != []
    assert await shown(type="SPLIT") == []
    assert await shown(sort_direction="ASC") == every[::-1]


HELD = {
    "CURRENT": "currentValue",
    "INITIAL": "initialValue",
    "TOKENS": "size",
    "CASHPNL": "cashPnl",
    "PERCENTPNL": "percentPnl",
    "TITLE": "title",
    "RESOLVING": "endDate",
    "PRICE": "curPrice",
    "AVGPRICE": "avgPrice",
}
CLOSED = {
    "REALIZEDPNL": "realizedPnl",
    "TITLE": "title",
    "PRICE": "curPrice",
    "AVGPRICE": "avgPrice",
    "TIMESTAMP": "timestamp",
}
OF_TWO = {
    "CURRENT_VALUE": "current_value",
    "PRICE": "current_price",
    "TOKENS": "current_size",
    "UNREALIZED_PNL": "unrealized_pnl",
    "REALIZED_PNL": "realized_pnl",
    "TOTAL_PNL": "total_pnl",
    "TIMESTAMP": "last_event_at",
}


@pytest.mark.parametrize(
    ("path", "by", "way", "orders", "least"),
    [
        ("/data/positions", "sortBy", "sortDirection", HELD, 4),
        ("/data/closed-positions", "sortBy", "sortDirection", CLOSED, 2),
        ("/data/v2/positions", "sort_by", "sort_direction", OF_TWO, 4),
    ],
    ids=["version one", "closed ones", "version two"],
)
async def test_positions_come_in_every_order_and_its_reverse(web, busy, path, by, way, orders, least):
    differ = set[str]()
    for order, field in orders.items():
        falling: Sequence[Any] = [row[field] for row in listed(await rows(web, path, user=busy, **{by: order}))]
        rising = [row[field] for row in listed(await rows(web, path, user=busy, **{by: order, way: "ASC"}))]

        assert len(falling) == len(rising) >= least
        assert falling == sorted(falling, reverse=True), order
        assert rising == sorted(rising), order
        differ |= {order} if len(set(falling)) > 1 else set()
    # Orders in which all are equal show nothing.
    assert len(differ) >= len(orders) - 2, differ


async def test_positions_of_version_one_are_narrowed_by_every_filter(web, busy):
    every = await rows(web, "/data/positions", user=busy)
    sizes, title = sorted(row["size"] for row in every), every[0]["title"]
    narrowed = {
        "sizeThreshold": (sizes[1], lambda row: row["size"] >= sizes[1]),
        "title": (title[3:12], lambda row: title[3:12].lower() in row["title"].lower()),
        "redeemable": ("true", lambda row: row["redeemable"]),
        "mergeable": ("true", lambda row: row["mergeable"]),
    }

    for name, (value, fits) in narrowed.items():
        wanted = [row["asset"] for row in every if fits(row)]
        found = await rows(web, "/data/positions", user=busy, **{name: value})
        assert [row["asset"] for row in found] == wanted, name
        # Nothing of it is resolved.
        assert len(wanted) < len(every), name
        assert wanted or name == "redeemable", name
