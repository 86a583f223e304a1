"""Ending a market: no more orders, its book gone, its payouts on chain."""

from __future__ import annotations

from typing import Any

from services.venue.bank import Bank, ChainRefused
from services.venue.events import MarketNews
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import Market


class Resolution:
    """Resolves markets of this venue's own oracle."""

    def __init__(self, exchange: Exchange, bank: Bank, journal: Journal) -> None:
        self._exchange = exchange
        self._bank = bank
        self._journal = journal

    async def resolve(self, market: Market, payouts: tuple[int, int], *, auto_redeem: bool = False) -> dict[str, Any]:
        """Pays each share its part of `payouts` (yes, no); what rests is cancelled. With `auto_redeem` all who have approved the
        auto-redeemer are paid at once, without their doing. Raises ValueError for a second time, and for payouts that the market
        cannot have: then nothing has changed."""
        if market.closed:
            raise ValueError("the market is resolved already")
        accepting, market.accepting_orders = market.accepting_orders, False
        try:
            await self._bank.resolve(market.condition_id, payouts)
        except ChainRefused as refused:
            raise ValueError(f"the chain refuses it: {refused}") from refused
        finally:
            market.accepting_orders = accepting
        cancelled = self._exchange.life.resolve(market, payouts)
        winner = -1 if all(payouts) else payouts.index(max(payouts))
        self._exchange.announce(market, MarketNews.RESOLVED, winner)
        told: dict[str, Any] = {
            "condition_id": market.condition_id,
            "payouts": list(payouts),
            "cancelled": cancelled,
        }
        self._journal.note("market_resolved", **told)
        return told | {"redeemed": await self._redeem(market) if auto_redeem else []}

    async def _redeem(self, market: Market) -> list[str]:
        """Those whose shares were turned into money; whoever the venue has never looked at is not among them."""
        wallets = self._exchange.wallets
        redeemed = await self._bank.redeem_for_all(wallets.looked_at, market.condition_id)
        for wallet in redeemed:
            await wallets.read(wallet)
        self._journal.note("auto_redeemed", condition_id=market.condition_id, wallets=redeemed)
        return redeemed
