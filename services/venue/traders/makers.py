"""Market makers: resting orders on both tokens of every market, made whole again soon after somebody has eaten of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from services.venue.clock import Clock
from services.venue.events import Event, OrderEvent
from services.venue.exchange import Exchange
from services.venue.model import MICRO, Market, Order, OrderStatus, OrderType, Side
from services.venue.traders.ladder import fair_micros, ladder, missing
from services.venue.traders.pen import Pen
from services.venue.traders.wallets import Trader

REFILL_AFTER_S = 0.1

log = structlog.get_logger(__name__)


class Makers:
    """Subscribe `hear` to the exchange before `quote`; `run` refills until cancelled."""

    def __init__(self, exchange: Exchange, makers: Sequence[Trader], pen: Pen, seed: int, clock: Clock) -> None:
        self._exchange = exchange
        self._makers = makers
        self._pen = pen
        self._seed = seed
        self._clock = clock
        self._wallets = {maker.address.lower() for maker in makers}
        self._live: dict[str, dict[str, Order]] = defaultdict(dict)
        self._eaten: set[str] = set()
        self._wake = asyncio.Event()

    def hear(self, event: Event) -> None:
        """Remembers the makers' own orders, and whose levels were eaten or cancelled."""
        if not isinstance(event, OrderEvent) or event.order.posted.wallet not in self._wallets:
            return
        order, token = event.order, event.order.posted.token_id
        if order.status is OrderStatus.LIVE and order.remaining_micros > 0:
            self._live[token][order.order_hash] = order
        else:
            self._live[token].pop(order.order_hash, None)
        if event.kind != "PLACEMENT":
            self._eaten.add(token)
            self._wake.set()

    def quote(self) -> None:
        """Fills every ladder that is not whole."""
        for place, market in enumerate(self._exchange.markets.values()):
            if not market.quoted:
                continue
            for token in market.tokens:
                self._quote_token(place, market, token)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await self._clock.sleep(REFILL_AFTER_S)
            self._wake.clear()
            eaten, self._eaten = self._eaten, set()
            for place, market in enumerate(self._exchange.markets.values()):
                for token in eaten.intersection(market.tokens):
                    self._quote_token(place, market, token)

    def _quote_token(self, place: int, market: Market, token: str) -> None:
        if not market.accepting_orders or market.closed:
            return
        outcome = market.tokens.index(token)
        first = fair_micros(self._seed, place, market.tick_micros)
        fair = first if outcome == 0 else MICRO - first
        maker = self._makers[(place + outcome) % len(self._makers)]
        wanted = ladder(fair, market.tick_micros)
        for rung in missing(wanted, self._resting(token), market.min_size_micros):
            posted = self._pen.order(maker, token, rung.side, rung.size_micros, rung.price_micros, OrderType.GTC)
            placement = self._exchange.place(posted)
            if not placement.ok:
                log.warning("a maker's order was refused", maker=maker.name, error=placement.error)
                return

    def _resting(self, token: str) -> dict[tuple[Side, int], int]:
        totals: dict[tuple[Side, int], int] = defaultdict(int)
        for order in self._live[token].values():
            totals[(order.posted.side, order.price_micros)] += order.remaining_micros
        return totals
