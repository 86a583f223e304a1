"""What becomes of the orders of a match that has failed.

Every part is given back. An order that had left its book does not return: it is cancelled where nothing else of it is filled,
and otherwise stays matched with less. One that still rests is met by nobody until the wallets of all parties have been read
from the chain: the party that can no longer pay loses its orders, the innocent one goes on resting, at the end of its queue.
"""

from __future__ import annotations

import httpx
import structlog

from services.venue.engine.funds import Funds
from services.venue.engine.orders import Orders
from services.venue.model import Order, OrderStatus, Part, Trade
from services.venue.node.errors import RpcError
from services.venue.wallets import Wallets

log = structlog.get_logger(__name__)


class Undoing:
    """Works on orders and on what wallets are believed to have."""

    def __init__(self, orders: Orders, funds: Funds, wallets: Wallets) -> None:
        self._orders = orders
        self._funds = funds
        self._wallets = wallets

    def take_back(self, trade: Trade) -> list[Order]:
        """Give every part back; the orders that rest, which nobody meets until `put_back`."""
        self._wallets.failed(trade)
        for part in trade.parts:
            self._give_back(part)
        resting = [part.order for part in trade.parts if part.order.status is OrderStatus.LIVE]
        for order in resting:
            self._orders.suspend(order)
        self._orders.tell_book(trade.market, [part.order for part in trade.parts])
        return resting

    async def put_back(self, trade: Trade, suspended: list[Order]) -> None:
        """Read everyone's wallet, cancel what cannot be paid for, and let the rest be met again."""
        try:
            await self._wallets.reread(trade)
        except (httpx.HTTPError, RpcError, TimeoutError) as error:
            log.warning("wallets of a failed match could not be read", error=repr(error))
            for order in suspended:
                self._cancel(order)
            return
        for wallet in {part.order.posted.wallet for part in trade.parts}:
            self._funds.drop_unpaid(wallet)
        innocent = [order for order in suspended if order.status is OrderStatus.LIVE]
        for order in innocent:
            self._orders.rest(order)
            self._orders.tell("UPDATE", order)
        self._orders.tell_book(trade.market, innocent)

    def _cancel(self, order: Order) -> None:
        if order.status is OrderStatus.LIVE:
            self._orders.cancel(order)

    def _give_back(self, part: Part) -> None:
        order = part.order
        order.matched_micros -= part.shares_micros
        order.spent_micros -= part.usdc_micros
        self._orders.recount(order)
        if order.status is OrderStatus.MATCHED and not order.matched_micros:
            self._orders.end(order, OrderStatus.CANCELED)
