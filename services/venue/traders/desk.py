"""Where the traders' wishes become signed orders: priced by the book, placed like anybody's, followed until mined."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from services.venue.events import Event, MinedEvent, UnminedEvent
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import BookView, Fill, Market, OrderType, Placement, Side
from services.venue.traders.amounts import MICRO, buyable, sellable
from services.venue.traders.pen import Pen
from services.venue.traders.runner import Placed
from services.venue.traders.steps import Action, Rest, Take
from services.venue.traders.wallets import COUNTERPARTY, Trader

WHOLE_BPS = 10_000
# Orders of which it is known how much was mined; a script has a few dozen.
FOLLOWED = 10_000


class Refused(Exception):
    """A wish that no order can be made of: an unknown trader or market, an empty book, nothing to sell."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One trade as it is asked for: one of shares, money or a part of the holding; `price` "" takes the book's."""

    trader: str
    market: str | int
    outcome: int
    side: Side
    shares_micros: int = 0
    usdc_micros: int = 0
    fraction_bps: int = 0
    price: str = ""
    order_type: str = "FAK"
    levels: int = 1


class Desk:
    """Acts for everyone of the cast. Subscribe `hear` to the exchange."""

    def __init__(self, exchange: Exchange, everyone: Mapping[str, Trader], journal: Journal, pen: Pen) -> None:
        self.everyone = everyone
        self._exchange = exchange
        self._journal = journal
        self._pen = pen
        self._leaders = {one.address.lower(): one.name for one in everyone.values() if one.is_leader}
        self._held: dict[tuple[str, str], int] = defaultdict(int)
        self._mined: dict[str, int] = {}
        self._taken_back: set[str] = set()
        self._more = asyncio.Event()

    def hear(self, event: Event) -> None:
        """Books what is mined; each fill of a leader becomes a line of the journal."""
        if isinstance(event, UnminedEvent):
            self._taken_back.add(event.trade.trade_id)
            self._book(event.fills, -1)
        if not isinstance(event, MinedEvent):
            return
        self._book(event.fills, 1)
        # What is mined again was told before.
        told = event.trade.trade_id in self._taken_back
        self._taken_back.discard(event.trade.trade_id)
        for fill in event.fills:
            name = self._leaders.get(fill.wallet.lower())
            if name and not told:
                self._note(name, fill)
        self._more.set()

    def _book(self, fills: Sequence[Fill], times: int) -> None:
        for fill in fills:
            if fill.order_hash in self._mined:
                self._mined[fill.order_hash] += times * fill.size_micros
            sign = times if fill.side is Side.BUY else -times
            self._held[(fill.wallet.lower(), fill.token_id)] += sign * fill.size_micros

    def mined_micros(self, order_hash: str) -> int:
        return self._mined.get(order_hash, 0)

    async def next_fill(self) -> None:
        self._more.clear()
        await self._more.wait()

    def place_of(self, market: str | int) -> int:
        """A market's place in the list; Refused for one that is not there."""
        conditions = list(self._exchange.markets)
        if isinstance(market, int):
            if market >= len(conditions):
                raise Refused(f"there are {len(conditions)} markets")
            return market
        if market not in conditions:
            raise Refused(f"no such market: {market}")
        return conditions.index(market)

    async def act(self, action: Action) -> list[Placed]:
        """Carries out a script's action; a refusal is part of the result."""
        try:
            if isinstance(action, Rest):
                return self._rest(action)
            return [self.trade(_wish(action))]
        except Refused as refused:
            return [Placed(action.trader, "", 0, str(refused))]

    def trade(self, wish: Wish) -> Placed:
        """Places one order; raises Refused."""
        trader, market = self._trader(wish.trader), self.market(wish.market)
        if wish.outcome not in (0, 1):
            raise Refused("outcome: 0 or 1")
        token = market.tokens[wish.outcome]
        limit = _price(wish.price) if wish.price else self._limit(token, wish.side, wish.levels)
        shares = self._shares(wish, trader, token, limit)
        return self.place(trader, token, wish.side, shares, limit, _order_type(wish.order_type))

    def _rest(self, rest: Rest) -> list[Placed]:
        trader, market = self._trader(rest.trader), self.market(rest.market)
        token = market.tokens[rest.outcome]
        price = self.inside(market, token, rest.side)
        resting = [self.place(trader, token, rest.side, size, price, OrderType.GTC) for size in rest.sizes_micros]
        taken = sum(size for size, one in zip(rest.sizes_micros, resting, strict=True) if not one.error)
        if not taken:
            return resting
        # A purchase that is no whole number of cents is only taken as a resting order.
        other = rest.side.other
        whole = other is Side.SELL or buyable(taken, price) == taken
        kind = OrderType.FAK if whole else OrderType.GTC
        sweep = self.place(self.everyone[COUNTERPARTY], token, other, taken, price, kind)
        if sweep.error:
            return [*resting, sweep]
        filled = [
            one if one.error else Placed(one.trader, one.order_hash, size)
            for size, one in zip(rest.sizes_micros, resting, strict=True)
        ]
        return [*filled, sweep]

    def place(self, trader: Trader, token: str, side: Side, shares: int, limit: int, kind: OrderType) -> Placed:
        """Sign an order and send it in; what comes of it on the chain is followed."""
        posted = self._pen.order(trader, token, side, shares, limit, kind)
        self._mined[posted.order_hash] = 0
        if len(self._mined) > FOLLOWED:
            del self._mined[next(iter(self._mined))]
        placement = self._exchange.place(posted)
        return Placed(trader.name, posted.order_hash, _matched(placement, side), placement.error)

    def _shares(self, wish: Wish, trader: Trader, token: str, limit: int) -> int:
        if wish.fraction_bps:
            held = self._held[(trader.address.lower(), token)]
            asked = held * wish.fraction_bps // WHOLE_BPS
        else:
            asked = wish.shares_micros or wish.usdc_micros * MICRO // limit
        takes = wish.side is Side.BUY and not _order_type(wish.order_type).rests
        shares = buyable(asked, limit) if takes else sellable(asked)
        if shares <= 0:
            raise Refused("nothing that can be traded is left of the size")
        return shares

    def _limit(self, token: str, side: Side, levels: int) -> int:
        """The price at which an order reaches that many levels of the other side."""
        view = self._view(token)
        facing = view.asks if side is Side.BUY else view.bids
        if not facing:
            raise Refused("nobody to trade with: the book is empty")
        return facing[-min(levels, len(facing))][0]

    def inside(self, market: Market, token: str, side: Side) -> int:
        """The price nearest to the other side that still rests."""
        view = self._view(token)
        if not view.bids or not view.asks:
            raise Refused("no spread to rest in: the book has one side")
        bid, ask, tick = view.bids[-1][0], view.asks[-1][0], market.tick_micros
        if ask - bid < 2 * tick:
            raise Refused("no spread to rest in: it is one tick")
        return ask - tick if side is Side.BUY else bid + tick

    def _view(self, token: str) -> BookView:
        view = self._exchange.book(token)
        if view is None:
            raise Refused("the market is closed")
        return view

    def _trader(self, name: str) -> Trader:
        if name not in self.everyone:
            raise Refused(f"no trader is called {name!r}; there are: {', '.join(self.everyone)}")
        return self.everyone[name]

    def market(self, market: str | int) -> Market:
        """A market by its condition id or its place; Refused for one that is not there."""
        return list(self._exchange.markets.values())[self.place_of(market)]

    def _note(self, leader: str, fill: Fill) -> None:
        self._journal.note(
            "leader_fill",
            leader=leader,
            wallet=fill.wallet.lower(),
            tx_hash=fill.tx_hash,
            order_hash=fill.order_hash,
            condition_id=fill.condition_id,
            token=fill.token_id,
            side=str(fill.side),
            size_micros=fill.size_micros,
            usdc_micros=fill.usdc_micros,
            fee_micros=fill.fee_micros,
            role=str(fill.role),
            block=fill.block_number,
            block_timestamp=fill.block_timestamp,
            mined_at_ms=fill.mined_at_ms,
        )


def _wish(take: Take) -> Wish:
    return Wish(
        trader=take.trader,
        market=take.market,
        outcome=take.outcome,
        side=take.side,
        shares_micros=take.shares_micros,
        fraction_bps=take.fraction_bps,
        levels=take.levels,
    )


def _matched(placement: Placement, side: Side) -> int:
    return placement.taking_micros if side is Side.BUY else placement.making_micros


def _price(text: str) -> int:
    try:
        price = Decimal(text)
        micros = int(price * MICRO) if 0 < price < 1 else 0
    except DecimalException as error:
        raise Refused(f"price: {text!r} is none") from error
    if not micros:
        raise Refused(f"price: {text!r} is not between 0 and 1")
    return micros


def _order_type(text: str) -> OrderType:
    try:
        return OrderType(text.upper())
    except ValueError as error:
        raise Refused(f"type: {text!r} is none") from error
