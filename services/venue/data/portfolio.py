"""What wallets hold: the chain's balances beside what their rows cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy

from services.venue.data.entries import Entry
from services.venue.data.feed import Feed
from services.venue.data.holdings import Holding, Holdings
from services.venue.data.positions import Position
from services.venue.model import Market
from services.venue.prices import Prices

KEPT = 4_096


class Portfolio:
    """Everything as the feed has last read it. Rows that the feed let go of are kept as what they added up to."""

    def __init__(
        self,
        feed: Feed,
        markets: Mapping[str, Market],
        market_of: Callable[[str], Market | None],
        prices: Prices,
    ) -> None:
        self._feed = feed
        self._markets = markets
        self._market_of = market_of
        self._prices = prices
        self._before: dict[str, Holdings] = {}
        self._books: dict[str, tuple[tuple[int, int], Holdings]] = {}
        feed.ledger.dropped = self._let_go

    async def refresh(self) -> None:
        """Reads the chain and the books; everything else is as of then."""
        await self._feed.refresh()
        await self._prices.refresh()

    async def of(self, wallet: str) -> list[Position]:
        """Every token that the wallet ever had to do with, or holds now."""
        await self.refresh()
        return self.known(wallet)

    async def of_condition(self, condition_id: str) -> list[Position]:
        """Every wallet's positions in a market."""
        await self.refresh()
        market = self._markets.get(condition_id)
        if market is None:
            return []
        ledger = self._feed.ledger
        wallets = {one.wallet for one in ledger.entries.of_condition(condition_id)}
        wallets |= {wallet for token in market.tokens for wallet in ledger.holders(token)}
        return [one for wallet in sorted(wallets) for one in self.known(wallet) if one.market is market]

    def known(self, wallet: str) -> list[Position]:
        """As `of`, without reading anything."""
        book, held = dict(self.holdings(wallet)), self._feed.ledger.balances(wallet)
        for token in held:
            market = self._market_of(token)
            if market is not None:
                book.setdefault(token, Holding(token, market.condition_id))
        return [self._position(wallet, holding, held) for holding in book.values()]

    def holdings(self, wallet: str) -> Mapping[str, Holding]:
        """What its rows add up to, by token."""
        stamp = (self._feed.version, self._feed.lag_ms)
        kept = self._books.get(wallet)
        if kept is None or kept[0] != stamp or self._feed.lag_ms:
            book = self.empty_book()
            if before := self._before.get(wallet):
                book.of_token = deepcopy(before.of_token)
            book.take(self._feed.of_wallet(wallet))
            if len(self._books) >= KEPT:
                self._books.clear()
            kept = self._books[wallet] = (stamp, book)
        return kept[1].of_token

    def price_micros(self, market: Market, token_id: str) -> int:
        """What one share of the token is worth: what it pays, once that is on chain."""
        payout = self._feed.ledger.payouts.get(market.condition_id)
        if payout is not None:
            return payout.micros[market.tokens.index(token_id)]
        return self._prices.token_micros(market, token_id)

    def resolved(self, market: Market) -> bool:
        """Whether its payouts are on chain."""
        return market.condition_id in self._feed.ledger.payouts

    def empty_book(self) -> Holdings:
        """A book of what rows add up to, before any."""
        return Holdings(self._markets, self._feed.ledger.payouts, self._market_of)

    def _let_go(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._before.setdefault(entry.wallet, self.empty_book()).take([entry])

    def _position(self, wallet: str, holding: Holding, held: Mapping[str, int]) -> Position:
        market = self._markets[holding.condition_id]
        resolved = self.resolved(market)
        return Position(
            wallet=wallet,
            name=self._feed.name(wallet),
            market=market,
            holding=holding,
            shares_micros=held.get(holding.token_id, 0),
            price_micros=self.price_micros(market, holding.token_id),
            resolved=resolved,
            mergeable=not resolved and all(held.get(token) for token in market.tokens),
        )
