"""What anyone may read: time, markets, books, prices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.parse import read_body
from services.venue.digits import whole
from services.venue.exchange import Exchange
from services.venue.model import MICRO, BookView
from services.venue.refusals import Refusal, no_book

MOST_BOOKS = 500
SIDES = ("BUY", "SELL")


class MarketData:
    """Routes without authentication."""

    def __init__(self, exchange: Exchange, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        return [
            Route("/", endpoint(self.ok)),
            Route("/ok", endpoint(self.ok)),
            Route("/time", endpoint(self.time)),
            Route("/version", endpoint(self.version)),
            Route("/book", endpoint(self.book)),
            Route("/books", endpoint(self.books), methods=["GET", "POST"]),
            Route("/midpoint", endpoint(self.midpoint)),
            Route("/price", endpoint(self.price)),
            Route("/spread", endpoint(self.spread)),
            Route("/last-trade-price", endpoint(self.last_trade_price)),
            Route("/midpoints", endpoint(self.midpoints), methods=["GET", "POST"]),
            Route("/prices", endpoint(self.prices), methods=["GET", "POST"]),
            Route("/spreads", endpoint(self.spreads), methods=["GET", "POST"]),
            Route("/last-trades-prices", endpoint(self.last_trade_prices), methods=["GET", "POST"]),
            Route("/tick-size", endpoint(self.tick_size)),
            Route("/neg-risk", endpoint(self.neg_risk)),
            Route("/fee-rate", endpoint(self.fee_rate)),
        ]

    async def ok(self, _: Request) -> Any:
        return "OK"

    async def time(self, _: Request) -> Any:
        return self._now_ms() // 1000

    async def version(self, _: Request) -> Any:
        return {"version": 2}

    async def book(self, request: Request) -> Any:
        return shapes.book(self._view(request), self._now_ms())

    async def books(self, request: Request) -> Any:
        """In an order of their own, which is not that of the question (venue.md 3.1)."""
        views = sorted((view for _, view in await self._views(request)), key=lambda view: view.token_id[::-1])
        return [shapes.book(view, self._now_ms()) for view in views]

    async def midpoint(self, request: Request) -> Any:
        return {"mid": _midpoint(self._view(request))}

    async def midpoints(self, request: Request) -> Any:
        return {view.token_id: _midpoint(view) for _, view in await self._views(request)}

    async def price(self, request: Request) -> Any:
        side = request.query_params.get("side", "").upper()
        if side not in SIDES:
            raise Refusal("Invalid side")
        return {"price": _price(self._view(request), side)}

    async def prices(self, request: Request) -> Any:
        found: dict[str, dict[str, str]] = {}
        for wanted, view in await self._views(request):
            # Whoever names no side is told what selling brings.
            side = str(wanted.get("side") or "SELL").upper()
            if side not in SIDES:
                raise Refusal("Invalid side")
            found.setdefault(view.token_id, {})[side] = _price(view, side)
        return found

    async def spread(self, request: Request) -> Any:
        return {"spread": _spread(self._view(request))}

    async def spreads(self, request: Request) -> Any:
        return {view.token_id: _spread(view) for _, view in await self._views(request)}

    async def last_trade_price(self, request: Request) -> Any:
        return _last_trade(self._view(request))

    async def last_trade_prices(self, request: Request) -> Any:
        """Those that were traded."""
        views = [view for _, view in await self._views(request) if view.last_side]
        return [{"token_id": view.token_id, **_last_trade(view)} for view in views]

    async def tick_size(self, request: Request) -> Any:
        return {"minimum_tick_size": self._view(request).market.tick_micros / MICRO}

    async def neg_risk(self, request: Request) -> Any:
        return {"neg_risk": self._view(request).market.neg_risk}

    async def fee_rate(self, request: Request) -> Any:
        return {"base_fee": 1000 if self._view(request).market.fee_rate else 0}

    async def _views(self, request: Request) -> list[tuple[dict[str, Any], BookView]]:
        """What a list of tokens asks for, with the books that there are; unknown tokens are left out (venue.md 3.1). A query
        instead of a body is refused, whatever it says."""
        asked = read_body(await request.body(), "Invalid payload")
        if not isinstance(asked, list):
            raise Refusal("Invalid payload")
        wanted = [cast(dict[str, Any], one) for one in cast(list[object], asked) if isinstance(one, dict)]
        if len(wanted) > MOST_BOOKS:
            raise Refusal("Payload exceeds the limit")
        views = [(one, self._exchange.book(str(one.get("token_id")))) for one in wanted]
        return [(one, view) for one, view in views if view]

    def _view(self, request: Request) -> BookView:
        token = request.query_params.get("token_id", "")
        if whole(token) is None:
            raise Refusal("Invalid token id")
        view = self._exchange.book(token)
        if view is None:
            raise no_book()
        return view


def _best(view: BookView) -> tuple[int, int]:
    bid = view.bids[-1][0] if view.bids else 0
    return bid, view.asks[-1][0] if view.asks else MICRO


def _midpoint(view: BookView) -> str:
    return shapes.text(sum(_best(view)) // 2)


def _price(view: BookView, side: str) -> str:
    bid, ask = _best(view)
    return shapes.text(bid if side == "BUY" else ask)


def _spread(view: BookView) -> str:
    bid, ask = _best(view)
    return shapes.text(ask - bid)


def _last_trade(view: BookView) -> dict[str, str]:
    return {"price": shapes.last_price(view), "side": str(view.last_side or "")}
