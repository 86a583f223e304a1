"""A trader of the local venue: signs with his wallet's key, speaks the CLOB's HTTP, and says what he got."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from services.common.polymarket.auth import Credentials, l1_headers, l2_headers
from services.venue.contracts import Contract
from services.venue.signed import SignedOrder
from services.venue.signing import order_hash
from tests.patience import PATIENT_S, patiently
from tests.venue_chain import BUY, an_order

USDC = SHARE = 1_000_000
CENT = 10_000

_keys = itertools.count(1)
_salts = itertools.count(1)


def a_wallet() -> LocalAccount:
    """A wallet that nobody has used before."""
    return Account.from_key(f"0x{next(_keys):062x}d1")


class Trader:
    """One wallet with an API key at the venue."""

    def __init__(self, web: httpx.AsyncClient, account: LocalAccount, credentials: Credentials) -> None:
        self.web = web
        self.account = account
        self.credentials = credentials

    @classmethod
    async def join(cls, web: httpx.AsyncClient, usdc: int = 1_000) -> "Trader":
        """A new wallet with that many dollars, every approval, and a key."""
        account = a_wallet()
        funded = await web.post("/admin/fund", json={"address": account.address, "usdc_micros": usdc * USDC})
        assert funded.status_code == 200, funded.text
        answer = await web.post("/clob/auth/api-key", headers=login_headers(account))
        assert answer.status_code == 200, answer.text
        key = answer.json()
        return cls(web, account, Credentials(key["apiKey"], key["secret"], key["passphrase"]))

    @property
    def address(self) -> str:
        return self.account.address

    @property
    def channel(self) -> dict[str, Any]:
        """What subscribes the user channel."""
        key = self.credentials
        auth = {"apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}
        return {"auth": auth, "type": "user"}

    def order(self, token: str, side: int, shares: int, price: int, kind: str = "FAK", /, **changes: Any) -> bytes:
        """The body of an order for micro-shares at micro-dollars, signed; `changes` come after the signature."""
        signed = an_order(self.account, side, int(token), shares, price, salt=next(_salts))
        return self.body(signed, kind, **changes)

    def body(self, order: SignedOrder, kind: str, /, **changes: Any) -> bytes:
        written = {
            "salt": order.salt,
            "maker": order.maker,
            "signer": order.signer,
            "tokenId": str(order.token_id),
            "makerAmount": str(order.maker_amount),
            "takerAmount": str(order.taker_amount),
            "side": "BUY" if order.side == BUY else "SELL",
            "expiration": "0",
            "signatureType": order.signature_type,
            "timestamp": str(order.timestamp),
            "metadata": "0x" + order.metadata.hex(),
            "builder": "0x" + order.builder.hex(),
            "signature": "0x" + order.signature.hex(),
        }
        inner = {name: changes.pop(name) for name in list(changes) if name in written}
        body = {"order": written | inner, "owner": self.credentials.key, "orderType": kind, "deferExec": False}
        return json.dumps(body | changes, separators=(",", ":")).encode()

    async def post(self, body: bytes, path: str = "/order") -> httpx.Response:
        return await self.send("POST", path, body)

    async def place(self, *order: Any, **changes: Any) -> dict[str, Any]:
        """The answer to an order that is taken."""
        answer = await self.post(self.order(*order, **changes))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refusal(self, *order: Any, **changes: Any) -> tuple[int, str]:
        """Status and text of an order that is not taken."""
        answer = await self.post(self.order(*order, **changes))
        return answer.status_code, answer.json()["error"]

    async def ask(self, path: str, **params: str) -> Any:
        answer = await self.send("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def cancel(self, path: str, body: object = None) -> Any:
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        answer = await self.send("DELETE", path, content)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, method: str, path: str, body: bytes = b"", params: Any = None) -> httpx.Response:
        headers = l2_headers(self.credentials, self.address, int(time.time()), method, path, body)
        return await self.web.request(method, "/clob" + path, content=body, params=params, headers=headers)

    async def trades(self, order_hash: str) -> list[dict[str, Any]]:
        """The trades that an order has a part in."""
        page = await self.ask("/data/trades")
        return [
            trade
            for trade in page["data"]
            if order_hash in (trade["taker_order_id"], *(one["order_id"] for one in trade["maker_orders"]))
        ]

    async def settled(self, order_hash: str, status: str = "CONFIRMED") -> list[dict[str, Any]]:
        """Its trades, once every one of them has that status, or has gone on from being mined to being confirmed."""
        there = {status, "CONFIRMED"} if status == "MINED" else {status}
        async with asyncio.timeout(PATIENT_S):
            while True:
                found = await self.trades(order_hash)
                if found and all(trade["status"] in there for trade in found):
                    return found
                await asyncio.sleep(0.05)

    async def cash_micros(self) -> int:
        return int((await self.ask("/balance-allowance", asset_type="COLLATERAL"))["balance"])

    async def shares_micros(self, token: str) -> int:
        return int((await self.ask("/balance-allowance", asset_type="CONDITIONAL", token_id=token))["balance"])


class Signer:
    """A trader who signs for the exchange of his market."""

    def __init__(self, trader: Trader, contract: Contract) -> None:
        self.trader = trader
        self._contract = contract

    async def place(self, token: str, side: int, shares: int, price: int, kind: str = "GTC") -> dict[str, Any]:
        answer = await self.post(token, side, shares, price, kind)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, token: str, side: int, shares: int, price: int, kind: str = "GTC") -> httpx.Response:
        order = an_order(self.trader.account, side, int(token), shares, price, next(_salts), self._contract)
        return await self.trader.post(self.trader.body(order, kind))


def login_headers(account: LocalAccount, nonce: int = 0, at: int | None = None) -> dict[str, str]:
    """L1 headers, signed as a wallet signs typed data."""
    timestamp = int(time.time()) if at is None else at
    message = {
        "address": account.address,
        "timestamp": str(timestamp),
        "nonce": nonce,
        "message": "This message attests that I control the given wallet",
    }
    fields = {"address": "address", "timestamp": "string", "nonce": "uint256", "message": "string"}
    types = {"ClobAuth": [{"name": name, "type": kind} for name, kind in fields.items()]}
    domain = {"name": "ClobAuthDomain", "version": "1", "chainId": 137}
    signed = account.sign_message(encode_typed_data(domain, types, message))
    return l1_headers(account.address, "0x" + signed.signature.hex(), timestamp, nonce)


def id_of(body: bytes) -> str:
    """The hash of the order in a body, known before it is sent."""
    order = json.loads(body)["order"]
    return "0x" + order_hash(read(order)).hex()


def read(order: dict[str, Any]) -> SignedOrder:
    return SignedOrder(
        salt=order["salt"],
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=0 if order["side"] == "BUY" else 1,
        signature_type=order["signatureType"],
        timestamp=int(order["timestamp"]),
        metadata=bytes.fromhex(order["metadata"][2:]),
        builder=bytes.fromhex(order["builder"][2:]),
        signature=bytes.fromhex(order["signature"][2:]),
    )


@asynccontextmanager
async def listening(url: str, subscribe: dict[str, Any]) -> AsyncGenerator[Any]:
    """A WebSocket that is subscribed: a PING behind the subscription has been answered."""
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps(subscribe))
        await socket.send("PING")
        first: list[str] = []
        while (text := await patiently(socket.recv())) != "PONG":
            first.append(text)
        yield Heard(socket, first)


class Heard:
    """Frames of one socket, those that came at once first."""

    def __init__(self, socket: Any, first: list[str]) -> None:
        self.socket = socket
        self.first = first

    async def next(self) -> str:
        return await patiently(self.socket.recv())

    async def until(self, wanted: Any) -> list[Any]:
        """Every frame up to the one that is wanted, as JSON."""
        frames: list[Any] = []
        while not frames or not wanted(frames[-1]):
            frames.append(json.loads(await self.next()))
        return frames
