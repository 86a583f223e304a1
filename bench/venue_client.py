"""A client that costs next to nothing, so that what is measured is the venue: signed orders on kept connections."""

import asyncio
import itertools
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from coincurve import PrivateKey
from eth_account import Account

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side
from services.common.polymarket.auth import Credentials, l1_headers, l2_headers
from services.common.polymarket.order import Contract, auth_digest, build_order, order_digest
from services.venue.node import addresses

CONTRACT = Contract(addresses.CHAIN_ID, addresses.EXCHANGE, "2")

_salts = itertools.count(1)


class Line:
    """One connection that is kept open: a request, then its answer. Bodies have a length here, as the venue writes them."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
        """The body of an answer of 200; anything else is an error of the bench."""
        lines = [f"{method} {path} HTTP/1.1", "host: venue", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._writer.write("\r\n".join([*lines, "\r\n"]).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        answer = await self._reader.readexactly(length)
        if " 200 " not in head.partition("\r\n")[0]:
            raise RuntimeError(f"{method} {path}: {head.partition(chr(13))[0]} {answer[:300]!r}")
        return answer

    async def post(self, path: str, body: object) -> Any:
        return json.loads(await self.ask("POST", path, json.dumps(body).encode()))


class Signer:
    """One wallet with money and an API key."""

    def __init__(self, number: int) -> None:
        secret = number.to_bytes(4, "big").rjust(32, b"\xbe")
        self._key = PrivateKey(secret)
        self.address = str(Account.from_key(secret).address)
        self.credentials = Credentials("", "", "")

    async def join(self, line: Line, usdc: int) -> None:
        await line.post("/admin/fund", {"address": self.address, "usdc_micros": usdc * 1_000_000})
        now = int(time.time())
        signature = self._sign(auth_digest(self.address, now, 0, addresses.CHAIN_ID))
        key = json.loads(await line.ask("POST", "/clob/auth/api-key", b"", l1_headers(self.address, signature, now, 0)))
        self.credentials = Credentials(key["apiKey"], key["secret"], key["passphrase"])

    def order(self, token: str, shares: int, price_micros: int, kind: str) -> tuple[bytes, str]:
        """The body of a purchase of whole shares, and the order's id."""
        fields = build_order(
            CONTRACT,
            maker=self.address,
            signer=self.address,
            signature_type=0,
            token_id=token,
            side=Side.BUY,
            shares_micros=shares * 1_000_000,
            limit_micros=price_micros,
            tick_micros=10_000,
            salt=next(_salts),
            now=datetime.now(UTC),
        )
        digest = order_digest(fields)
        return self._body(fields, self._sign(digest), kind), "0x" + digest.hex()

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        return l2_headers(self.credentials, self.address, int(time.time()), method, path, body)

    async def send(self, line: Line, method: str, path: str, body: bytes) -> Any:
        return json.loads(await line.ask(method, "/clob" + path, body, self.headers(method, path, body)))

    def _body(self, fields: OrderFields, signature: str, kind: str) -> bytes:
        order = {
            "salt": fields.salt,
            "maker": fields.maker,
            "signer": fields.signer,
            "tokenId": fields.token_id,
            "makerAmount": str(fields.maker_amount),
            "takerAmount": str(fields.taker_amount),
            "side": str(fields.side),
            "expiration": "0",
            "signatureType": 0,
            "timestamp": str(fields.timestamp_ms),
            "metadata": fields.metadata,
            "builder": fields.builder,
            "signature": signature,
        }
        whole = {
            "order": order,
            "owner": self.credentials.key,
            "orderType": kind,
            "deferExec": False,
            "postOnly": False,
        }
        return json.dumps(whole, separators=(",", ":")).encode()

    def _sign(self, digest: bytes) -> str:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return "0x" + (signature[:64] + bytes([signature[64] + 27])).hex()
