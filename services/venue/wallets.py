"""What the venue believes wallets have: read from the chain, moved by matches, and read again when asked to or when a match fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from services.venue.bank import Bank
from services.venue.model import Order, Part, Side, Trade


@dataclass(slots=True)
class Wallet:
    """Spendable amounts. Cash leaves when a trade is matched and arrives when it is mined; shares likewise."""

    cash_micros: int = 0
    allowance_micros: int = 0
    approved: bool = False
    tokens: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Wallets:
    """Every wallet that was ever looked at."""

    def __init__(self, bank: Bank, tokens: list[str]) -> None:
        self._bank = bank
        self._tokens = tokens
        self._known: dict[str, Wallet] = {}
        self._pending: defaultdict[str, list[Trade]] = defaultdict(list)
        self._line = asyncio.Lock()

    def get(self, address: str) -> Wallet:
        """A wallet as it is believed to be; an unknown one has nothing."""
        return self._known.get(address.lower(), Wallet())

    async def known(self, address: str) -> Wallet:
        """The wallet, read from the chain where it was never looked at."""
        return self._known.get(address.lower()) or await self.read(address)

    async def read(self, address: str, token_id: str | None = None) -> Wallet:
        """Read cash, approvals and tokens anew (all tokens, or one), less what pending trades will take."""
        name = address.lower()
        async with self._line:
            wallet = self._known.get(name) or Wallet()
            cash, allowance, approved = await asyncio.gather(
                self._bank.collateral_balance(address), self._bank.allowance(address), self._bank.is_approved(address)
            )
            wanted = [token_id] if token_id and name in self._known else self._tokens
            held = await asyncio.gather(*(self._bank.token_balance(address, int(token)) for token in wanted))
            taken_cash, taken = self._taken(name)
            wallet.cash_micros, wallet.allowance_micros, wallet.approved = cash - taken_cash, allowance, approved
            for token, balance in zip(wanted, held, strict=True):
                wallet.tokens[token] = balance - taken[token]
            self._known[name] = wallet
            return wallet

    def matched(self, trade: Trade) -> None:
        """What the trade takes is gone at once."""
        for part in trade.parts:
            wallet = self._known.setdefault(part.order.posted.wallet, Wallet())
            cash, shares = _takes(part)
            wallet.cash_micros -= cash
            wallet.tokens[part.order.posted.token_id] -= shares
            self._pending[part.order.posted.wallet].append(trade)

    def mined(self, trade: Trade) -> None:
        """What the trade brings has arrived."""
        for part in trade.parts:
            wallet = self._known[part.order.posted.wallet]
            if part.order.posted.side is Side.BUY:
                wallet.tokens[part.order.posted.token_id] += part.shares_micros
            else:
                wallet.cash_micros += part.usdc_micros - part.fee_micros
            self._done(trade, part)

    async def failed(self, trade: Trade) -> None:
        """Nothing of it happened: the chain knows what is there."""
        for part in trade.parts:
            self._done(trade, part)
            await self.read(part.order.posted.signed.maker)

    def _done(self, trade: Trade, part: Part) -> None:
        pending = self._pending[part.order.posted.wallet]
        if trade in pending:
            pending.remove(trade)

    def _taken(self, name: str) -> tuple[int, defaultdict[str, int]]:
        cash, tokens = 0, defaultdict[str, int](int)
        for trade in self._pending[name]:
            for part in trade.parts:
                if part.order.posted.wallet == name:
                    more, shares = _takes(part)
                    cash += more
                    tokens[part.order.posted.token_id] += shares
        return cash, tokens


def reserved(orders: list[Order], side: Side) -> int:
    """What resting orders of one side keep aside: dollars of buyers, shares of sellers."""
    mine = (order for order in orders if order.posted.side is side)
    if side is Side.BUY:
        return sum(order.remaining_micros * order.price_micros // 1_000_000 for order in mine)
    return sum(order.remaining_micros for order in mine)


def _takes(part: Part) -> tuple[int, int]:
    if part.order.posted.side is Side.BUY:
        return part.usdc_micros + part.fee_micros, 0
    return 0, part.shares_micros
