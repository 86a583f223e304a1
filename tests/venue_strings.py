"""Every text by which the real CLOB refuses (venue.md 3.6): what a trader does to hear it here, and with which status."""

import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.venue.bank import Bank
from services.venue.conditions import Send
from services.venue.node import addresses, calldata
from services.venue.node.client import Node
from tests.venue_chain import BUY, SELL
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, Trader, id_of, login_headers
from tests.venue_views import FINE, book, market

TEN = 10 * SHARE
UNKNOWN = "0x" + "12" * 32
RESTING = (BUY, TEN, CENT, "GTC")
HALF = (BUY, TEN, 50 * CENT, "GTC")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a text is heard: a venue, and somebody new who trades there."""

    venue: Venue
    web: httpx.AsyncClient
    trader: Trader

    async def token(self, place: int = 0) -> str:
        return (await market(self.web, place))["tokens"][0]

    async def tell(self, path: str, **body: Any) -> Any:
        answer = await self.web.post("/admin/" + path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass(frozen=True, slots=True)
class Heard:
    """The status and text of an answer, and the text that it should have."""

    status: int
    text: Any
    expected: str


Scene = Callable[[Stage], Awaitable[Heard]]


@dataclass(frozen=True, slots=True)
class Row:
    """A text as venue.md has it, `{…}` for what differs; `told` where nothing that happens here brings it about."""

    text: str
    status: int
    scene: Scene
    told: bool = False


def heard(answer: httpx.Response, expected: str) -> Heard:
    return Heard(answer.status_code, answer.json()["error"], expected)


def an_order(order: tuple[Any, ...], expected: str, place: int = 0, **changes: Any) -> Scene:
    """One order that is refused; `{id}` of what is expected is its hash."""

    async def scene(stage: Stage) -> Heard:
        body = stage.trader.order(await stage.token(place), *order, **changes)
        return heard(await stage.trader.post(body), expected.replace("{id}", id_of(body)))

    return scene


def a_request(method: str, path: str, body: bytes, expected: str) -> Scene:
    async def scene(stage: Stage) -> Heard:
        return heard(await stage.trader.send(method, path, body), expected)

    return scene


def told(text: str, status: int) -> Row:
    """What only a fault inside the real one brings about: `/admin/refusals` answers it."""

    async def scene(stage: Stage) -> Heard:
        await stage.tell("refusals", text=text, status=status, wallet=stage.trader.address)
        body = stage.trader.order(await stage.token(), *RESTING)
        answer = heard(await stage.trader.post(body), text)
        # Nothing came of the order: sent again, it is taken.
        assert (await stage.trader.post(body)).json()["status"] == "live"
        return answer

    return Row(text, status, scene, told=True)


def mode(name: str, text: str, status: int) -> Row:
    async def scene(stage: Stage) -> Heard:
        async with turned(stage, "mode", {"mode": name}, {"mode": "normal"}):
            return await an_order(RESTING, text)(stage)

    return Row(text, status, scene)


@asynccontextmanager
async def turned(stage: Stage, path: str, there: dict[str, Any], back: dict[str, Any]):
    """A switch of the whole venue, for as long as it takes."""
    await stage.tell(path, **there)
    try:
        yield
    finally:
        await stage.tell(path, **back)


def standing(name: str, text: str) -> Scene:
    async def scene(stage: Stage) -> Heard:
        await stage.tell("restrict", address=stage.trader.address, standing=name)
        return await an_order(HALF, text.replace("{address}", stage.trader.address))(stage)

    return scene


async def twice(stage: Stage) -> Heard:
    body = stage.trader.order(await stage.token(), *RESTING)
    await stage.trader.post(body)
    return heard(await stage.trader.post(body), f"order {id_of(body)} is invalid. Duplicated.")


async def overtaken(stage: Stage) -> Heard:
    """A batch whose second order meets the first, which had not come to its book when the batch came in."""
    made = await stage.tell("markets", question="Will the second order meet the first?")
    yes, no = made["tokens"]
    first = stage.trader.order(yes, BUY, TEN, 60 * CENT, "GTC")
    second = stage.trader.order(no, BUY, TEN, 60 * CENT, "GTC", postOnly=True)
    answer = await stage.trader.post(b"[" + first + b"," + second + b"]", "/orders")
    legs = answer.json()
    assert [leg["status"] for leg in legs] == ["live", ""], legs
    return Heard(400, legs[1]["errorMsg"], f"order {id_of(second)} crosses the book")


async def paused_on_chain(stage: Stage) -> Heard:
    """The wallet has told the exchange contract to settle nothing of it any more."""
    trader, token = stage.trader, await stage.token()
    resting = (await trader.place(token, *RESTING))["orderID"]
    node = Node(stage.venue.node_url)
    interval = calldata.write(("setUserPauseBlockInterval", ("uint256",)), 0)
    pause = calldata.write(("pauseUser", ()))
    await Bank(node).send(
        [Send(addresses.ADMIN, addresses.EXCHANGE, interval), Send(trader.address, addresses.EXCHANGE, pause)]
    )
    await node.close()
    await trader.ask("/balance-allowance/update", asset_type="COLLATERAL")
    assert (await stage.web.get("/admin/orders", params={"hash": resting})).json()["order"]["status"] == "CANCELED"
    return await an_order(RESTING, "order canceled in the CTF exchange contract")(stage)


async def not_ready(stage: Stage) -> Heard:
    """The market was made a moment ago, and the CLOB has not taken it in."""
    made = await stage.tell("markets", question="Will the market be ready?", hydrate_ms=60_000)
    body = stage.trader.order(made["tokens"][0], *HALF)
    return heard(await stage.trader.post(body), "the market is not yet ready to process new orders")


async def of_version_one(stage: Stage) -> Heard:
    body = json.loads(stage.trader.order(await stage.token(), *HALF))
    for name in ("timestamp", "metadata", "builder"):
        del body["order"][name]
    body["order"] |= {"taker": "0x" + "00" * 20, "nonce": "0", "feeRateBps": "0"}
    return heard(await stage.trader.post(json.dumps(body).encode()), "order_version_mismatch")


async def of_a_nonce(stage: Stage) -> Heard:
    body = json.loads(stage.trader.order(await stage.token(), *HALF))
    body["order"]["nonce"] = "7"
    return heard(await stage.trader.post(json.dumps(body).encode()), "invalid nonce")


async def from_elsewhere(stage: Stage) -> Heard:
    text = "Trading restricted in your region, please refer to available regions"
    async with turned(stage, "geoblock", {"blocked": True}, {"blocked": False}):
        assert (await stage.web.get("/api/geoblock")).json()["blocked"] is True
        link = " - https://docs.polymarket.com/developers/CLOB/geoblock"
        return await an_order(RESTING, text + link)(stage)


async def of_no_key(stage: Stage) -> Heard:
    return heard(await stage.web.get("/clob/data/orders"), "Unauthorized/Invalid api key")


async def of_no_builder(stage: Stage) -> Heard:
    named = {"POLY_BUILDER_API_KEY": "nobody's"}
    return heard(await stage.web.delete("/clob/auth/builder-api-key", headers=named), "Invalid api key")


async def of_no_reader(stage: Stage) -> Heard:
    named = {"POLY_READONLY_API_KEY": "nobody's", "POLY_ADDRESS": stage.trader.address}
    return heard(await stage.web.get("/clob/data/orders", headers=named), "Invalid API key")


async def of_long_ago(stage: Stage) -> Heard:
    stale = login_headers(stage.trader.account, at=int(time.time()) - 3_600)
    return heard(await stage.web.post("/clob/auth/api-key", headers=stale), "Invalid L1 Request headers")


async def made_again(stage: Stage) -> Heard:
    again = login_headers(stage.trader.account)
    return heard(await stage.web.post("/clob/auth/api-key", headers=again), "Could not create api key")


async def never_made(stage: Stage) -> Heard:
    other = login_headers(stage.trader.account, nonce=9)
    return heard(await stage.web.get("/clob/auth/derive-api-key", headers=other), "Could not derive api key!")


async def not_there(stage: Stage) -> Heard:
    return heard(await stage.web.get("/clob/markets/" + UNKNOWN), "market not found")


async def too_many(stage: Stage) -> Heard:
    token = await stage.token()
    async with turned(stage, "limits", {"mode": "on"}, {"mode": "off"}):
        batch = b"[" + b",".join([stage.trader.order(token, *RESTING)] * 15) + b"]"
        answers = [await stage.trader.post(batch, "/orders") for _ in range(8)]
    return heard(next(one for one in answers if one.status_code != 200), "Too Many Requests")


def left(expected: str, *, precise: bool, filled: bool = False, known: bool = True) -> Scene:
    """Why an order is not cancelled: it was filled, or cancelled before, or is not there."""

    async def scene(stage: Stage) -> Heard:
        trader, token = stage.trader, await stage.token()
        _, asks = await book(stage.web, token)
        order = (BUY, TEN, asks[0][0], "FAK") if filled else RESTING
        ended = (await trader.place(token, *order))["orderID"] if known else UNKNOWN
        if known and not filled:
            await trader.cancel("/order", {"orderID": ended})
        reasons = {"reasons": "precise" if precise else "joint"}
        async with turned(stage, "clob", reasons, {"reasons": "joint"}):
            answer = await trader.send("DELETE", "/order", json.dumps({"orderID": ended}).encode())
        return Heard(answer.status_code, answer.json()["not_canceled"][ended], expected)

    return scene


DECIMALS = "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of {} decimals"
KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
NOTHING = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
NO_MONEY = "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"
UNREAD = (BUY, TEN, 50 * CENT, "IOC")

ROWS = (
    Row("Invalid order payload", 400, an_order(UNREAD, "Invalid order payload")),
    Row(
        "the order owner has to be the owner of the API KEY",
        400,
        an_order(HALF, "the order owner has to be the owner of the API KEY", owner="me"),
    ),
    Row(
        "the order signer address has to be the address of the API KEY",
        400,
        an_order(HALF, "the order signer address has to be the address of the API KEY", signer="0x" + "77" * 20),
    ),
    Row("'{address}' address banned", 400, standing("banned", "'{address}' address banned")),
    Row(
        "'{address}' address in closed only mode",
        400,
        standing("closed_only", "'{address}' address in closed only mode"),
    ),
    Row(
        "invalid post-only order: order crosses book",
        400,
        an_order((BUY, TEN, 99 * CENT, "GTC"), "invalid post-only order: order crosses book", postOnly=True),
    ),
    Row(
        "order {id} is invalid. Price ({p}) breaks minimum tick size rule: {tick}",
        400,
        an_order(
            (BUY, TEN, 505_000, "GTC"), "order {id} is invalid. Price (0.505) breaks minimum tick size rule: 0.01"
        ),
    ),
    Row(
        "order {id} is invalid. Size ({s}) lower than the minimum: {min}",
        400,
        an_order((BUY, 4 * SHARE, 50 * CENT, "GTC"), "order {id} is invalid. Size (4) lower than the minimum: 5"),
    ),
    Row("order {id} is invalid. Duplicated.", 400, twice),
    Row("order {id} crosses the book", 400, overtaken),
    Row("not enough balance / allowance", 400, an_order((SELL, TEN, 50 * CENT, "GTC"), NO_MONEY)),
    Row("invalid nonce", 400, of_a_nonce),
    Row(
        "invalid expiration",
        400,
        an_order((BUY, TEN, 50 * CENT, "GTD"), "invalid expiration", expiration="1"),
    ),
    Row("order canceled in the CTF exchange contract", 400, paused_on_chain),
    told("order match delayed due to market conditions", 400),
    Row(KILLED, 400, an_order((BUY, 60_000 * SHARE, CENT, "FOK"), KILLED)),
    Row(NOTHING, 400, an_order((BUY, 100 * SHARE, CENT, "FAK"), NOTHING)),
    Row("the market is not yet ready to process new orders", 400, not_ready),
    Row(
        "invalid amount for a marketable BUY order (${usd}), min size: $1",
        400,
        an_order((BUY, 9_900_000, 10 * CENT, "FAK"), "invalid amount for a marketable BUY order ($0.99), min size: $1"),
    ),
    Row(DECIMALS.format("4"), 400, an_order((BUY, 7_010_000, 50 * CENT, "FAK"), DECIMALS.format("4"))),
    Row(DECIMALS.format("5"), 400, an_order((BUY, 7_010_000, 50 * CENT, "FAK"), DECIMALS.format("5"), FINE)),
    Row(
        "invalid amounts, maker and taker amount must be higher than 0",
        400,
        an_order((BUY, 0, 50 * CENT, "GTC"), "invalid amounts, maker and taker amount must be higher than 0"),
    ),
    Row(
        "Size {size} has {n} decimal places. Maximum lot size is 2",
        400,
        an_order((BUY, 10_123_000, 50 * CENT, "GTC"), "Size 10.123 has 3 decimal places. Maximum lot size is 2"),
    ),
    Row(
        "Too many orders in payload: {N}, max allowed: {M}",
        400,
        a_request("POST", "/orders", json.dumps([{}] * 16).encode(), "Too many orders in payload: 16, max allowed: 15"),
    ),
    Row("Unauthorized/Invalid api key", 401, of_no_key),
    Row("Invalid api key", 401, of_no_builder),
    Row("Invalid API key", 401, of_no_reader),
    Row("Invalid L1 Request headers", 401, of_long_ago),
    Row("Trading restricted in your region, please refer to available regions{link}", 403, from_elsewhere),
    Row("market not found", 404, not_there),
    mode("restarting", "the matching engine is restarting", 425),
    Row("Too Many Requests", 429, too_many),
    told("could not insert order", 500),
    told("order timed out", 500),
    told("there are no matching orders", 500),
    told("FOK orders are filled or killed", 500),
    told("the trade contains rounding issues", 500),
    told("the price of the taker's order has a discrepancy greater than allowed with the worst maker order", 500),
    mode("disabled", "Trading is currently disabled. Check polymarket.com for updates", 503),
    mode(
        "cancel_only",
        "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        503,
    ),
    mode("post_only", "post-only mode: only post-only orders and cancels are allowed", 503),
    Row("order_version_mismatch", 400, of_version_one),
    Row("Could not create api key", 400, made_again),
    Row("Could not derive api key!", 400, never_made),
    Row("Invalid orderID", 400, a_request("DELETE", "/order", b'{"orderID":"12"}', "Invalid orderID")),
    Row(
        "Too many orders in payload, max allowed: 1000",
        400,
        a_request(
            "DELETE",
            "/orders",
            json.dumps([UNKNOWN] * 1_001).encode(),
            "Too many orders in payload, max allowed: 1000",
        ),
    ),
    Row("already canceled or matched", 200, left("already canceled or matched", precise=False)),
    Row("Order not found", 200, left("Order not found", precise=False, known=False)),
    Row("Order already matched", 200, left("Order already matched", precise=True, filled=True)),
    Row("Order already canceled", 200, left("Order already canceled", precise=True)),
)
