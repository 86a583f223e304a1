"""Whether a wallet can pay for an order beside those that it has resting."""

from __future__ import annotations

from collections.abc import Sequence

from services.venue import refusals
from services.venue.engine.orders import Orders
from services.venue.fees import taker_fee_micros
from services.venue.matching import Take, totals
from services.venue.model import Order, Side
from services.venue.wallets import Wallets, reserved


class Funds:
    """Reads what wallets have and what their resting orders keep aside."""

    def __init__(self, wallets: Wallets, orders: Orders) -> None:
        self._wallets = wallets
        self._orders = orders

    def check(self, order: Order, found: Sequence[Take]) -> None:
        """Raises the refusal of an order that its wallet cannot pay for, given what it would take at once."""
        wallet, resting = self._wallets.get(order.posted.wallet), self._orders.resting_of(order.posted.wallet)
        if order.posted.side is Side.BUY:
            shares, usdc = totals(found)
            needed = order.posted.usdc_micros + taker_fee_micros(order.market.fee_rate, shares, usdc)
            free = min(wallet.cash_micros, wallet.allowance_micros(order.market.contract)) - reserved(resting, Side.BUY)
            if free < needed:
                raise refusals.not_enough(free, needed)
            return
        same = [one for one in resting if one.posted.token_id == order.posted.token_id]
        free = wallet.tokens.get(order.posted.token_id, 0) - reserved(same, Side.SELL)
        approved = order.market.contract in wallet.approved
        if free < order.posted.shares_micros or not approved:
            raise refusals.not_enough(free if approved else 0, order.posted.shares_micros)
