"""Trades whose blocks are taken back: what the chain, the exchange and the Data API say of them, on a chain that moves when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from eth_utils.crypto import keccak

from services.venue.node.addresses import EXCHANGE, OPERATOR
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, node_process
from tests.venue_process import Venue, venue_on
from tests.venue_trader import CENT, SHARE, USDC, Trader
from tests.venue_views import ORDER_FILLED, book, lines, market
from tests.venue_web import rows

pytestmark = pytest.mark.xdist_group("venue-reorgs")

MOST_WAITING = 3
BUSY = "order match delayed due to market conditions"


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with (
        node_process("--block-ms", "0") as url,
        venue_on(url, "--seed", "3", "--most-waiting", str(MOST_WAITING)) as one,
    ):
        yield one


class Scene:
    """A purchase of half of what rests for the other outcome: both buyers share the dollar that mints the pair."""

    def __init__(self, venue: Venue, buyer: Trader, maker: Trader) -> None:
        self.venue, self.buyer, self.maker = venue, buyer, maker

    async def open(self, place: int) -> None:
        self.token, other = (await market(self.buyer.web, place))["tokens"]
        bids, asks = await book(self.buyer.web, self.token)
        self.price = (bids[0][0] + asks[0][0]) // 2 // CENT * CENT
        self.resting = (await self.maker.place(other, BUY, 20 * SHARE, USDC - self.price, "GTC"))["orderID"]

    async def buy(self) -> dict[str, Any]:
        """Half of what rested, mined in the newest block and not final: the trade."""
        placed = await self.buyer.place(self.token, BUY, 10 * SHARE, self.price)
        return await self.mined(placed["orderID"], "MINED")

    async def mined(self, order_hash: str, status: str = "CONFIRMED") -> dict[str, Any]:
        """The order's trade once it has this status; a block is mined whenever its transaction is there."""
        async with asyncio.timeout(PATIENT_S):
            while True:
                (trade,) = await self.buyer.trades(order_hash)
                if trade["status"] == status:
                    return trade
                if await self.waits() or status == "CONFIRMED":
                    await self.venue.node("evm_mine")
                await asyncio.sleep(0.05)

    async def waits(self) -> bool:
        """Whether the operator has a transaction that is not mined."""
        sent, mined = [await self.venue.node("eth_getTransactionCount", OPERATOR, tag) for tag in ("pending", "latest")]
        return sent != mined

    async def until_it_waits(self) -> None:
        async with asyncio.timeout(PATIENT_S):
            while True:
                if await self.waits():
                    return
                await asyncio.sleep(0.02)

    async def filled(self, order_hash: str) -> list[int]:
        """What each `OrderFilled` of an order says that it gave, from the first block on."""
        asked = {"fromBlock": "0x0", "toBlock": "latest", "topics": [ORDER_FILLED, order_hash]}
        return [int(log["data"][130:194], 16) for log in await self.venue.node("eth_getLogs", asked)]

    async def status(self, order_hash: str) -> tuple[bool, int]:
        """Whether the exchange has filled an order whole, and what is left of it."""
        data = "0x" + keccak(text="getOrderStatus(bytes32)")[:4].hex() + order_hash[2:]
        answer = await self.venue.node("eth_call", {"to": EXCHANGE, "data": data}, "latest")
        return bool(int(answer[2:66], 16)), int(answer[66:130], 16)

    async def shown(self) -> tuple[Any, ...]:
        """The transactions of the buyer's rows, activity and trades in both versions, and the shares of his position."""
        web, user = self.buyer.web, self.buyer.address
        one = [await rows(web, f"/data/{path}", user=user) for path in ("activity", "trades")]
        two = [(await rows(web, f"/data/v2/{path}", user=user))["data"] for path in ("activity", "trades")]
        held = (await rows(web, "/data/v2/positions", user=user, filter_amount="0"))["data"]
        return (
            *([row["transactionHash"] for row in found] for found in one),
            *([row["transaction_hash"] for row in found] for found in two),
            sum(row["current_size"] for row in held),
        )

    async def reorg(self, tx_hash: str | None, fate: str) -> None:
        """Another newest block in the place of this one, of which the transaction, or all, have that fate."""
        await self.venue.node("evm_reorg", 1, {"blocks": 1, "fate": fate, "transactions": [tx_hash] if tx_hash else []})

    async def statuses(self, trade_id: str) -> list[str]:
        found = await lines(self.buyer.web, "match", "settled", "retrying", "confirmed", "failed")
        return [line["kind"] for line in found if line["trade_id"] == trade_id]


@pytest.fixture
async def scene(venue: Venue, web: Any) -> AsyncIterator[Scene]:
    one = Scene(venue, await Trader.join(web), await Trader.join(web))
    await one.open(4)
    yield one
    for trader in (one.buyer, one.maker):
        await trader.cancel("/cancel-all")


async def told(scene: Scene, order_hash: str, count: int) -> list[str]:
    """What the journal has said of an order's fills, once it has said so much."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            found = await lines(scene.buyer.web, "wallet_fill", "wallet_fill_undone")
            mine = [line["kind"] for line in found if line["order_hash"] == order_hash]
            if len(mine) >= count:
                return mine
            await asyncio.sleep(0.02)


async def test_what_was_lost_before_it_was_mined_is_sent_again(scene):
    await scene.venue.node("evm_mine")
    placed = await scene.buyer.place(scene.token, BUY, 10 * SHARE, scene.price)
    await scene.until_it_waits()
    await scene.reorg(None, "dropped")
    await scene.mined(placed["orderID"])

    assert await scene.filled(placed["orderID"]) == [10 * scene.price]
    assert await scene.buyer.shares_micros(scene.token) == 10 * SHARE


@pytest.mark.parametrize("fate", ["again", "later", "replaced", "dropped", "failed"])
async def test_a_partial_fill_whose_block_was_taken_back_is_settled_exactly_once(scene, fate):
    before = await scene.buy()
    first, gave = before["taker_order_id"], USDC - scene.price
    await scene.reorg(before["transaction_hash"], fate)
    kinds = await told(scene, first, 2)
    after = await scene.mined(first)
    second = (await scene.buy())["taker_order_id"]
    await scene.mined(second)
    statuses = await scene.statuses(after["id"])

    assert kinds[:2] == ["wallet_fill", "wallet_fill_undone"]
    assert await told(scene, first, 3) == [*kinds[:2], "wallet_fill"]
    assert after["id"] == before["id"]
    assert (after["transaction_hash"] != before["transaction_hash"]) == (fate in ("replaced", "failed"))
    assert statuses == [
        "match",
        "settled",
        "retrying",
        *(["retrying"] if fate == "failed" else []),
        "settled",
        "confirmed",
    ]
    assert await scene.filled(first) == await scene.filled(second) == [10 * scene.price]
    assert await scene.filled(scene.resting) == [10 * gave, 10 * gave]
    assert await scene.status(scene.resting) == await scene.status(first) == (True, 0)
    assert await scene.buyer.shares_micros(scene.token) == 20 * SHARE
    assert await scene.maker.cash_micros() == 1_000 * USDC - 20 * gave


async def test_rows_go_with_their_block_and_come_back_with_the_transaction_that_took_its_place(web, scene):
    trade = await scene.buy()
    first, old = trade["taker_order_id"], trade["transaction_hash"]
    found = [await scene.shown()]
    await web.post("/admin/data/credit", json={"user": scene.maker.address, "kind": "REWARD", "usdc_micros": 5 * USDC})
    for fate in ("later", "replaced", "dropped"):
        await scene.reorg(trade["transaction_hash"], fate)
        found.append(await scene.shown())
        trade = await scene.mined(first, "MINED")
        found.append(await scene.shown())
    new = found[3][0][0]
    money = await rows(web, "/data/activity", user=scene.maker.address, type="REWARD")

    assert found == [
        (*[[old]] * 4, 10.0),
        (*[[]] * 4, 0),
        (*[[old]] * 4, 10.0),
        (*[[new]] * 4, 10.0),
        (*[[new]] * 4, 10.0),
        (*[[]] * 4, 0),
        (*[[old]] * 4, 10.0),
    ]
    assert new != old
    assert [row["usdcSize"] for row in money] == [5]


async def test_while_too_many_matches_wait_for_the_chain_none_is_made_and_others_rest(scene):
    other = (await market(scene.buyer.web, 4))["tokens"][1]
    await scene.maker.place(other, BUY, 40 * SHARE, USDC - scene.price, "GTC")
    wish = (scene.token, BUY, 10 * SHARE, scene.price)
    waiting = [(await scene.buyer.place(*wish))["orderID"] for _ in range(MOST_WAITING)]
    refused = await scene.buyer.refusal(*wish)
    rests = await scene.buyer.place(scene.token, BUY, 10 * SHARE, scene.price - 2 * CENT, "GTC")
    for one in waiting:
        await scene.mined(one)
    taken = await scene.buyer.place(*wish)

    assert refused == (400, BUSY)
    assert (rests["status"], taken["status"]) == ("live", "matched")
