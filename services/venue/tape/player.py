"""Playing a tape: the recorded books stand, and the recorded trades happen, as orders of the venue's own wallets."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import structlog

from services.venue.background import watched
from services.venue.clock import Clock
from services.venue.exchange import Exchange
from services.venue.model import MICRO, Market, Order, OrderStatus, OrderType, Placement, Side
from services.venue.tape.format import BookLine, Entry, Tape, TradeLine
from services.venue.traders.pen import Pen
from services.venue.traders.wallets import Trader

LOT_MICROS = 10_000

log = structlog.get_logger(__name__)

Levels = dict[tuple[Side, int], int]


class Player:
    """Plays once, `speed` times as fast as it was recorded, by the venue's clock. `markets` are by their names on the tape, and so are
    `takers`; `maker` is everybody's counterpart."""

    def __init__(
        self,
        tape: Tape,
        exchange: Exchange,
        markets: Mapping[str, Market],
        maker: Trader,
        takers: Mapping[str, Trader],
        pen: Pen,
        clock: Clock,
        note: Callable[..., object],
        *,
        speed: float = 1.0,
    ) -> None:
        self._tape = tape
        self._exchange = exchange
        self._markets = markets
        self._maker = maker
        self._takers = takers
        self._pen = pen
        self._clock = clock
        self._note = note
        self._speed = speed
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin now: the first entry happens at once."""
        self._task = watched(asyncio.create_task(self._play()), "tape")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def report(self) -> dict[str, Any]:
        """How far it is. `skipped` are sizes that round to nothing, `refused` orders that the venue did not take, by its words."""
        return {
            "entries": len(self._tape.entries),
            "played": self._counts["played"],
            "books": self._counts["books"],
            "trades": self._counts["trades"],
            "skipped": self._counts["skipped"],
            "refused": dict(self._refused),
            "done": self._counts["played"] == len(self._tape.entries),
            "markets": {name: market.condition_id for name, market in self._markets.items()},
            "wallets": {name: trader.address for name, trader in self._takers.items()},
        }

    async def _play(self) -> None:
        entries = self._tape.entries
        began_ms, first_ms = self._clock.now_ms(), entries[0].at_ms
        self._note("tape_started", entries=len(entries), speed=self._speed)
        for entry in entries:
            due_ms = began_ms + (entry.at_ms - first_ms) / self._speed
            await self._clock.sleep(max(0.0, due_ms - self._clock.now_ms()) / 1_000)
            self._act(entry)
            self._counts["played"] += 1
        self._note(
            "tape_done", **{name: value for name, value in self.report().items() if name not in ("markets", "wallets")}
        )

    def _act(self, entry: Entry) -> None:
        market = self._markets[entry.market]
        token = market.tokens[entry.outcome]
        if isinstance(entry, BookLine):
            self._counts["books"] += 1
            self._stand(market, token, self._levels(market, entry))
        else:
            self._trade(market, token, entry)

    def _stand(self, market: Market, token: str, wanted: Levels) -> None:
        """Make the maker's resting orders those levels, and no others: what goes leaves first, so that nothing crosses."""
        held: defaultdict[tuple[Side, int], list[Order]] = defaultdict(list)
        for order in self._exchange.open_orders(self._maker.address):
            if order.market is market:
                held[_as(order, token)].append(order)
        gaps: Levels = dict(wanted)
        for level, orders in held.items():
            gap = wanted.get(level, 0) - sum(order.remaining_micros for order in orders)
            if gap == 0 or gap >= market.min_size_micros:
                gaps[level] = gap
                continue
            # Less is wanted, or more by less than the venue takes: the level is made anew.
            for order in orders:
                self._exchange.cancel(order.order_hash)
        for (side, price), gap in gaps.items():
            if gap:
                self._place(self._maker, token, side, gap, price)

    def _trade(self, market: Market, token: str, entry: TradeLine) -> None:
        price, shares = _price(entry.price, market), _lots(entry.size)
        if shares < market.min_size_micros:
            self._counts["skipped"] += 1
            return
        side = Side(entry.side)
        self._make_room(market, token, side, price, shares)
        placed = self._place(self._takers[entry.wallet], token, side, shares, price)
        if placed.status == "matched":
            self._counts["trades"] += 1
        # What the book did not hold must not stay behind: it was no resting order on the tape.
        order = self._exchange.orders.get(placed.order_hash)
        if order is not None and order.status is OrderStatus.LIVE:
            self._exchange.cancel(order.order_hash)

    def _make_room(self, market: Market, token: str, side: Side, price: int, shares: int) -> None:
        """The trade was at its price: better levels of the maker's go, and at the price there is enough."""
        there = 0
        for order in self._exchange.open_orders(self._maker.address):
            if order.market is not market:
                continue
            facing, at = _as(order, token)
            if facing is side:
                continue
            if (at < price) if side is Side.BUY else (at > price):
                self._exchange.cancel(order.order_hash)
            elif at == price:
                there += order.remaining_micros
        if (gap := shares - there) > 0:
            self._place(self._maker, token, side.other, max(gap, market.min_size_micros), price)

    def _place(self, trader: Trader, token: str, side: Side, shares: int, price: int) -> Placement:
        placed = self._exchange.place(self._pen.order(trader, token, side, shares, price, OrderType.GTC))
        if placed.error:
            words = placed.error.replace(placed.order_hash, "{id}").partition("balance:")[0]
            self._refused[words] += 1
            log.warning("an order of the tape was refused", trader=trader.name, error=placed.error)
        return placed

    def _levels(self, market: Market, book: BookLine) -> Levels:
        wanted: Counter[tuple[Side, int]] = Counter()
        for side, levels in ((Side.BUY, book.bids), (Side.SELL, book.asks)):
            for price, size in levels:
                if (shares := _lots(size)) >= market.min_size_micros:
                    wanted[side, _price(price, market)] += shares
                else:
                    self._counts["skipped"] += 1
        return dict(wanted)


def _as(order: Order, token: str) -> tuple[Side, int]:
    """An order's level in the book of that token: buying the one outcome is selling the other."""
    mine = order.posted.token_id == token
    return (order.posted.side, order.price_micros) if mine else (order.posted.side.other, MICRO - order.price_micros)


def _price(price: Decimal, market: Market) -> int:
    """The nearest price of the market's grid: what a row of the Data API says may be an average."""
    tick = market.tick_micros
    nearest = (int(price * MICRO) + tick // 2) // tick * tick
    return min(max(nearest, tick), MICRO - tick)


def _lots(size: Decimal) -> int:
    """Whole hundredths of a share, which is what rests."""
    return int(size * MICRO) // LOT_MICROS * LOT_MICROS
