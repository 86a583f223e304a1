"""What the CLOB tells the owners of orders to read later: fills, failures, cancellations (venue.md 3.1). Bounded."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import Kind
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.market_rows import full
from services.venue.clob.shapes import text
from services.venue.digits import whole
from services.venue.events import Event, MarketEvent, MarketNews, OrderEvent, TradeEvent
from services.venue.model import MICRO, Market, Order, TradeStatus
from services.venue.refusals import Refusal

MOST = 100


class Type(IntEnum):
    """The kinds that this venue has; the numbers are the real one's."""

    ORDER_CANCELLATION = 1
    ORDER_FILL = 2
    MARKET_RESOLVED = 4
    ORDER_FILL_FAILED = 8


@dataclass(frozen=True, slots=True)
class Notification:
    """One of them, as it was written then; `wallet_kind` is the signature type of its order."""

    id: int
    wallet_kind: int
    body: dict[str, Any]


class Notifications:
    """`/notifications` of one API key. `known` says whether there is such a key: nobody else is written to."""

    def __init__(self, gate: Gate, known: Callable[[str], bool], now_ms: Callable[[], int]) -> None:
        self._gate = gate
        self._known = known
        self._now_ms = now_ms
        self._ids = count(1)
        # Whom the end of a market concerns: the keys that have traded there, with the kinds of their wallets.
        self._traded: defaultdict[str, dict[tuple[str, int], None]] = defaultdict(dict)
        self._of: defaultdict[str, deque[Notification]] = defaultdict(lambda: deque(maxlen=MOST))

    def routes(self) -> list[Route]:
        return [
            Route("/notifications", endpoint(self.listed)),
            Route("/notifications", endpoint(self.drop), methods=["DELETE"]),
        ]

    async def listed(self, request: Request) -> Any:
        key = await self._gate.reader(request)
        kind = whole(request.query_params.get("signature_type", ""), max(Kind))
        if kind is None:
            raise Refusal("invalid signature_type")
        return [one.body for one in self._of[key.key] if one.wallet_kind == kind]

    async def drop(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        ids = {whole(one) for one in request.query_params.get("ids", "").split(",")}
        if None in ids:
            raise Refusal("invalid ids")
        self._of[key.key] = deque((one for one in self._of[key.key] if one.id not in ids), maxlen=MOST)
        return "OK"

    def hear(self, event: Event) -> None:
        """Write what the owner of an order may want to know."""
        if isinstance(event, OrderEvent) and event.kind == "CANCELLATION":
            self._write(Type.ORDER_CANCELLATION, event.order)
        elif isinstance(event, TradeEvent) and event.trade.status in (TradeStatus.MINED, TradeStatus.FAILED):
            kind = Type.ORDER_FILL if event.trade.status is TradeStatus.MINED else Type.ORDER_FILL_FAILED
            for part in event.trade.parts:
                self._write(kind, part.order, trade_id=event.trade.trade_id, transaction_hash=event.trade.tx_hash)
                self._traded[event.trade.market.condition_id][_addressee(part.order)] = None
        elif isinstance(event, MarketEvent) and event.news is MarketNews.RESOLVED:
            for owner, wallet_kind in self._traded.pop(event.market.condition_id, {}):
                self._add(owner, wallet_kind, Type.MARKET_RESOLVED, _resolved(event.market))

    def _write(self, kind: Type, order: Order, **more: str) -> None:
        payload = _payload(order) | {name: value for name, value in more.items() if value}
        self._add(*_addressee(order), kind, payload)

    def _add(self, owner: str, wallet_kind: int, kind: Type, payload: dict[str, Any]) -> None:
        if not self._known(owner):
            return
        number, at = next(self._ids), self._now_ms() // 1000
        body = {"id": number, "owner": owner, "timestamp": at, "type": int(kind), "payload": payload}
        self._of[owner].append(Notification(number, wallet_kind, body))


def _addressee(order: Order) -> tuple[str, int]:
    return order.posted.owner, order.posted.signed.signature_type


def _resolved(market: Market) -> dict[str, Any]:
    """A market as it is listed, with what its tokens were paid."""
    parts = market.payouts or (0, 0)
    worth = {token: MICRO * part // max(sum(parts), 1) for token, part in zip(market.tokens, parts, strict=True)}
    return full(market, worth) | {"icon": "", "image": "", "eventSlug": market.event_slug}


def _payload(order: Order) -> dict[str, Any]:
    posted, market = order.posted, order.market
    return {
        "asset_id": posted.token_id,
        "market": market.condition_id,
        "order_id": posted.order_hash,
        "side": str(posted.side),
        "type": str(posted.order_type),
        "price": text(order.price_micros),
        "original_size": text(posted.shares_micros),
        "matched_size": text(order.matched_micros),
        "remaining_size": text(order.remaining_micros),
        "outcome": market.outcome(posted.token_id),
        "outcome_index": market.tokens.index(posted.token_id),
        "question": market.question,
        "market_slug": market.slug,
        "eventSlug": market.event_slug,
        "icon": "",
        "image": "",
    }
