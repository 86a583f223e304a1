"""Whether a wallet can pay for an order beside those that it has open."""

from __future__ import annotations

from collections.abc import Sequence

from services.venue import refusals
from services.venue.engine.orders import Orders
from services.venue.fees import taker_fee_micros
from services.venue.matching import Take, totals
from services.venue.model import Order, Side
from services.venue.wallets import Wallet, Wallets

UNLIMITED = 2**256 - 1
NOT_ENOUGH = "NOT_ENOUGH_BALANCE"


class Funds:
    """Reads what wallets have and what their open orders keep aside: in each market for itself (venue.md 3.8)."""

    def __init__(self, wallets: Wallets, orders: Orders) -> None:
        self._wallets = wallets
        self._orders = orders

    def check(self, order: Order, found: Sequence[Take]) -> None:
        """Raises the refusal of an order that its wallet cannot pay for, given what it would take at once, or has the chain turn
        down."""
        posted, contract = order.posted, order.market.contract
        wallet = self._wallets.get(posted.wallet)
        if contract in wallet.paused:
            raise refusals.ended_on_chain()
        if posted.side is Side.BUY:
            shares, usdc = totals(found)
            kept = self._orders.kept(posted.wallet, order.market.condition_id) - order.kept_micros
            has, may = wallet.cash_micros, wallet.allowance_micros(contract)
            needed = posted.usdc_micros + taker_fee_micros(order.market.fee_rate, shares, usdc)
        else:
            kept = self._orders.kept(posted.wallet, posted.token_id) - order.kept_micros
            has, may = wallet.tokens.get(posted.token_id, 0), UNLIMITED if contract in wallet.approved else 0
            needed = posted.shares_micros
        if has - kept < needed:
            raise refusals.not_enough(has - kept, needed)
        if may - kept < needed:
            raise refusals.not_allowed(contract.exchange, may, needed)

    def drop_unpaid(self, wallet: str) -> None:
        """Cancel the youngest open orders of a wallet whose money or shares have gone elsewhere, and all that it has paused."""
        has, kept = self._wallets.get(wallet), dict[str, int]()
        for order in self._orders.open_of(wallet):
            if order.market.contract in has.paused:
                self._orders.cancel(order)
                continue
            purpose = order.market.condition_id if order.posted.side is Side.BUY else order.posted.token_id
            total = kept.get(purpose, 0) + order.kept_micros
            if total > _spendable(has, order):
                self._orders.cancel(order, NOT_ENOUGH)
            else:
                kept[purpose] = total

    def overdrawn(self, wallet: str) -> bool:
        """Whether what a wallet has might not do for everything that it has open."""
        return self._wallets.get(wallet).cash_micros < self._orders.kept(wallet, "")


def _spendable(has: Wallet, order: Order) -> int:
    contract = order.market.contract
    if order.posted.side is Side.BUY:
        return min(has.cash_micros, has.allowance_micros(contract))
    return has.tokens.get(order.posted.token_id, 0) if contract in has.approved else 0
