"""What a wallet holds: the chain's balances beside what its fills cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from services.venue.data.feed import Feed
from services.venue.data.holdings import Holding, holdings
from services.venue.data.positions import Position
from services.venue.model import Market
from services.venue.prices import Prices

Balances = Callable[[str, list[str]], Awaitable[list[int]]]


class Portfolio:
    """Reads the balances of a wallet's tokens from the chain, all at once."""

    def __init__(self, feed: Feed, markets: Mapping[str, Market], balances: Balances, prices: Prices) -> None:
        self._feed = feed
        self._markets = markets
        self._balances = balances
        self._prices = prices

    async def of(self, wallet: str) -> list[Position]:
        """Every token that the wallet ever traded, and both tokens of such a market where it holds some."""
        await self._prices.refresh()
        fills = self._feed.fills_of(wallet)
        book = holdings(fills)
        for condition in {fill.condition_id for fill in fills}:
            for token in self._markets[condition].tokens:
                book.setdefault(token, Holding(token, condition))
        held = dict(zip(book, await self._balances(wallet, list(book)), strict=True))
        return [
            self._position(wallet, holding, held) for token, holding in book.items() if held[token] or holding.first_at
        ]

    def _position(self, wallet: str, holding: Holding, held: Mapping[str, int]) -> Position:
        market = self._markets[holding.condition_id]
        return Position(
            wallet=wallet,
            name=self._feed.name(wallet),
            market=market,
            holding=holding,
            shares_micros=held[holding.token_id],
            price_micros=self._prices.token_micros(market, holding.token_id),
            resolved=market.closed,
            mergeable=all(held[token] for token in market.tokens),
        )
