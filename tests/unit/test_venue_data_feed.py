"""The Data API's feed follows the chain: also back, and never beyond what it may keep."""

from decimal import Decimal
from typing import Any

import pytest

from services.venue.data.entries import Entries, Entry
from services.venue.data.feed import Feed
from services.venue.data.follower import Follower
from services.venue.data.ledger import Ledger
from services.venue.data.logs import FILLED, SINGLE
from services.venue.data.query import Query
from services.venue.model import Market

EXCHANGE, TOKENS, LEADER, MAKER = ("0x" + digit * 40 for digit in "ecab")
YES, NO = "71", "72"
CONDITION = "0x" + "0c" * 32
MARKET = Market(CONDITION, "Q?", "q", "q", "9", ("Yes", "No"), (YES, NO), 10_000, 5_000_000, Decimal(0), 0)
SHARE = 1_000_000


def word(value: int | str) -> str:
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"


def topic(value: str) -> str:
    return "0x" + word(value)


class Chain:
    """A node of which every block is given: its hash, and what it holds."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, list[dict[str, Any]]]] = [("0xb0", [])]

    def mine(self, name: str, *logs: dict[str, Any]) -> None:
        number = hex(len(self.blocks))
        placed = [
            log | {"blockNumber": number, "blockHash": name, "transactionHash": name + "aa", "logIndex": hex(place)}
            for place, log in enumerate(logs)
        ]
        self.blocks.append((name, placed))

    async def call(self, method: str, *arguments: Any) -> Any:
        if method == "eth_getLogs":
            first, last = int(arguments[0]["fromBlock"], 16), int(arguments[0]["toBlock"], 16)
            return [log for _, logs in self.blocks[first : last + 1] for log in logs]
        number = len(self.blocks) - 1 if arguments[0] == "latest" else int(arguments[0], 16)
        if number >= len(self.blocks):
            return None
        parent = self.blocks[number - 1][0] if number else "0x"
        return {
            "number": hex(number),
            "hash": self.blocks[number][0],
            "parentHash": parent,
            "timestamp": hex(1_700_000_000 + number),
        }

    async def batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        return [await self.call(method, *arguments) for method, arguments in calls]


def filled(wallet: str, counterparty: str, shares: int) -> dict[str, Any]:
    words = [0, int(YES), shares // 2, shares, 0, 0, 0]
    return {
        "address": EXCHANGE,
        "topics": [FILLED, topic("0x01"), topic(wallet), topic(counterparty)],
        "data": "0x" + "".join(map(word, words)),
        "transactionIndex": "0x0",
    }


def moved(sender: str, receiver: str, shares: int) -> dict[str, Any]:
    return {
        "address": TOKENS,
        "topics": [SINGLE, topic(EXCHANGE), topic(sender), topic(receiver)],
        "data": "0x" + word(int(YES)) + word(shares),
        "transactionIndex": "0x0",
    }


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def feed(chain: Chain) -> Feed:
    ledger = Ledger({YES: MARKET, NO: MARKET}.get, {CONDITION: MARKET}, frozenset({EXCHANGE}))
    follower = Follower(chain, [EXCHANGE, TOKENS])  # pyright: ignore[reportArgumentType]
    return Feed(ledger, follower, {}, lambda: 1_800_000_000_000)


async def test_a_block_that_is_replaced_takes_its_rows_and_its_shares_with_it(chain, feed):
    chain.mine("0xb1", moved(MAKER, LEADER, 3 * SHARE), filled(LEADER, EXCHANGE, 3 * SHARE))
    chain.mine("0xb2", moved(MAKER, LEADER, 5 * SHARE), filled(LEADER, EXCHANGE, 5 * SHARE))
    await feed.refresh()
    before = [one.shares_micros for one in feed.of_wallet(LEADER)]
    held = dict(feed.ledger.balances(LEADER))
    del chain.blocks[2:]
    chain.mine("0xc2", moved(MAKER, LEADER, 7 * SHARE), filled(LEADER, EXCHANGE, 7 * SHARE))
    chain.mine("0xc3")
    await feed.refresh()

    assert (before, held) == ([3 * SHARE, 5 * SHARE], {YES: 8 * SHARE})
    assert [one.shares_micros for one in feed.of_wallet(LEADER)] == [3 * SHARE, 7 * SHARE]
    assert feed.ledger.balances(LEADER) == {YES: 10 * SHARE}
    assert feed.head == 3


async def test_a_chain_that_became_shorter_is_followed_too(chain, feed):
    chain.mine("0xb1", filled(LEADER, EXCHANGE, SHARE))
    chain.mine("0xb2", filled(LEADER, EXCHANGE, SHARE))
    await feed.refresh()
    del chain.blocks[1:]
    await feed.refresh()

    assert feed.of_wallet(LEADER) == []
    assert feed.head == 0


async def test_who_faced_the_exchange_itself_was_the_taker(chain, feed):
    chain.mine("0xb1", filled(MAKER, LEADER, SHARE), filled(LEADER, EXCHANGE, SHARE))
    await feed.refresh()

    assert [(one.wallet, one.is_taker) for one in feed.of_wallet(LEADER) + feed.of_wallet(MAKER)] == [
        (LEADER, True),
        (MAKER, False),
    ]


async def test_with_a_cadence_the_chain_is_read_no_more_often(chain, feed):
    feed.recompute_ms = 4_000
    await feed.refresh()
    chain.mine("0xb1", filled(LEADER, EXCHANGE, SHARE))
    await feed.refresh()

    assert feed.of_wallet(LEADER) == []


def test_the_oldest_rows_go_when_there_are_too_many():
    entries = Entries(most=100, of_one=0)
    gone = [
        old
        for number in range(250)
        for old in entries.add(
            Entry(
                sequence=number * 10**10,
                kind="TRADE",
                wallet=LEADER if number % 2 else MAKER,
                condition_id=CONDITION,
                timestamp=number,
                shares_micros=SHARE,
                usdc_micros=SHARE,
                tx_hash="0x",
            )
        )
    ]
    query = Query(LEADER, None, "", 0, None, frozenset(), "TIMESTAMP", False, False, "", 0, 100, 0)
    found = list(entries.find(query, shown_until=None))

    assert len(entries) <= 100
    assert len(gone) + len(entries) == 250
    assert [one.timestamp for one in gone] == sorted(one.timestamp for one in gone)
    assert found[0].timestamp == 249
    assert len(found) == len(entries.of_wallet(LEADER)) <= 50


def test_a_busy_wallet_leaves_to_a_quiet_one_the_rows_it_has():
    entries = Entries(most=100, of_one=10)
    for number in range(500):
        entries.add(a_row(number, MAKER if number >= 4 else LEADER))

    assert [one.timestamp for one in entries.of_wallet(LEADER)] == [0, 1, 2, 3]
    assert [one.timestamp for one in entries.of_wallet(MAKER)][-10:] == list(range(490, 500))
    assert len(entries) == len(entries.of_condition(CONDITION)) <= 100


def test_the_newest_rows_of_everyone_are_kept_although_there_are_too_many():
    entries = Entries(most=100, of_one=10)
    for number in range(2_000):
        entries.add(a_row(number, f"0x{number % 40:040x}"))

    assert all(len(entries.of_wallet(f"0x{one:040x}")) >= 10 for one in range(40))
    assert len(entries) < 500
    assert entries.drop_from(1_990)[0].timestamp == 1_990


def a_row(number: int, wallet: str) -> Entry:
    return Entry(number * 10**10, "TRADE", wallet, CONDITION, number, SHARE, SHARE, "0x")
