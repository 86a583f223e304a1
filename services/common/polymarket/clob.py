"""The CLOB over REST, as one account sees it (venue.md 3)."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import httpx

from services.common.domain.intent import Intent, Outcome
from services.common.polymarket import classify
from services.common.polymarket.auth import Credentials, l2_headers
from services.common.polymarket.credentials import ApiKey
from services.common.polymarket.departure import Departure, Missed
from services.common.polymarket.environment import Endpoints
from services.common.polymarket.letters import Letters
from services.common.polymarket.order import order_body
from services.common.polymarket.parse.clob import (
    FIRST_CURSOR,
    ClobTrade,
    read_closed_only,
    read_geoblock,
    read_open_order,
    read_spendable,
    read_trades_page,
)
from services.common.polymarket.parse.payload import Fields, UnknownPayload
from services.common.polymarket.reads import Reads, client
from services.common.ports.clock import Clock
from services.common.ports.signer import Signer
from services.common.ports.stores import DeadLetters
from services.common.ports.venue import Answer, OpenOrder, Permission, VenueTrade, VenueUnavailable, Wallet

POST_TIMEOUT_S = 5.0
MOST_PAGES = 50
OVERLAP = timedelta(minutes=1)

T = TypeVar("T")


class ClobRest:
    """`Clob` of one signer and signature type."""

    def __init__(
        self, endpoints: Endpoints, signer: Signer, clock: Clock, dead_letters: DeadLetters, signature_type: int = 0
    ) -> None:
        self._http = client(endpoints.clob_url)
        self._letters = Letters(dead_letters, clock)
        self._reads = Reads(self._http, self._letters)
        site, _, self._geoblock = endpoints.geoblock_url.rpartition("/")
        self._site = Reads(client(site), self._letters)
        self._key = ApiKey(self._http, signer, self._letters, clock)
        self._signer = signer
        self._clock = clock
        self._signature_type = signature_type

    async def close(self) -> None:
        self._key.close()
        await self._http.aclose()
        await self._site.close()

    async def credentials(self) -> Credentials:
        """The account's API credentials, for its own channel. Raises `VenueUnavailable`."""
        return await self._key.get()

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        try:
            async with asyncio.timeout(leave_by - self._clock.monotonic()):
                credentials = await self._key.get()
        except (VenueUnavailable, TimeoutError) as error:
            return Answer(Outcome.NOT_SENT, code=str(error)[:200] or "no API credentials in time")
        body = order_body(intent, credentials.key)
        headers = l2_headers(credentials, self._signer.address, self._seconds(), "POST", "/order", body)
        departure = Departure(self._clock, leave_by, POST_TIMEOUT_S)
        try:
            async with departure:
                response = await self._http.post(
                    "order",
                    content=body,
                    headers={**headers, "content-type": "application/json"},
                    timeout=httpx.Timeout(POST_TIMEOUT_S),
                    extensions={"trace": departure.trace},
                )
        except Missed:
            return Answer(Outcome.NOT_SENT, code="too_late_to_send")
        except (httpx.HTTPError, TimeoutError) as error:
            return classify.of_failure(error)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            self._key.forget(credentials)
        try:
            return classify.of_response(response.status_code, response.content, intent)
        except UnknownPayload as error:
            await self._letters.keep(error)
            return Answer(Outcome.UNKNOWN, response.status_code, code="unknown payload")

    async def order(self, order_hash: str) -> OpenOrder | None:
        return await self._signed(f"/data/order/{order_hash}", read_open_order, "open_order")

    async def trades(self, order_hash: str, token_id: str, after: datetime) -> tuple[VenueTrade, ...]:
        found: dict[str, VenueTrade] = {}
        for trade in await self._pages(token_id, after - OVERLAP):
            seen = trade.of(order_hash)
            if seen is not None:
                found[trade.trade_id] = seen
        return tuple(found.values())

    async def wallet(self) -> Wallet:
        read_at = self._clock.now()
        params = {"asset_type": "COLLATERAL", "signature_type": str(self._signature_type)}
        spendable = await self._signed("/balance-allowance", read_spendable, "balance_allowance", params)
        if spendable is None:
            raise VenueUnavailable("/balance-allowance: HTTP 404")
        return Wallet(spendable.balance_micros, spendable.single or 0, read_at, spendable.allowances)

    async def permission(self) -> Permission:
        closed_only = await self._signed("/auth/ban-status/closed-only", read_closed_only, "closed_only")
        blocked = await self._site.get(self._geoblock, read_geoblock, source="geoblock")
        if closed_only is None or blocked is None:
            raise VenueUnavailable("permission: HTTP 404")
        return Permission(closed_only, blocked)

    async def server_time(self) -> datetime:
        time = await self._reads.get("/time", _time, source="time")
        if time is None:
            raise VenueUnavailable("/time: HTTP 404")
        return time

    async def _pages(self, token_id: str, after: datetime) -> list[ClobTrade]:
        trades: list[ClobTrade] = []
        cursor = FIRST_CURSOR
        for _ in range(MOST_PAGES):
            params = {"asset_id": token_id, "after": str(int(after.timestamp())), "next_cursor": cursor}
            page = await self._signed("/data/trades", read_trades_page, "clob_trades", params)
            if page is None:
                raise VenueUnavailable("/data/trades: HTTP 404")
            trades += page.trades
            if not page.cursor:
                return trades
            cursor = page.cursor
        raise VenueUnavailable("/data/trades: too many pages")

    async def _signed(
        self, path: str, read: Callable[[object], T], source: str, params: Mapping[str, str] | None = None
    ) -> T | None:
        credentials = await self._key.get()
        headers = l2_headers(credentials, self._signer.address, self._seconds(), "GET", path)
        try:
            return await self._reads.get(path, read, source=source, params=params, headers=headers)
        except VenueUnavailable as error:
            if str(error).endswith(f"HTTP {HTTPStatus.UNAUTHORIZED:d}"):
                self._key.forget(credentials)
            raise

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())


def _time(payload: object) -> datetime:
    return Fields("time", {"time": payload}).epoch("time")
