"""The trades by their id, and by what they are asked for: whose they are, in which market, under which builder's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator

from services.venue.model import Trade

NO_BUILDER = "0" * 64


class Trades:
    """Oldest first, whatever they are found by."""

    def __init__(self) -> None:
        self._all: dict[str, Trade] = {}
        self._by: defaultdict[Hashable, dict[str, Trade]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def get(self, trade_id: str) -> Trade | None:
        return self._all.get(trade_id)

    def add(self, trade: Trade) -> None:
        self._all[trade.trade_id] = trade
        for key in _keys(trade):
            self._by[key][trade.trade_id] = trade

    def forget(self, trade_id: str) -> None:
        trade = self._all.pop(trade_id, None)
        for key in _keys(trade) if trade else ():
            del self._by[key][trade_id]
            if not self._by[key]:
                del self._by[key]

    def of(self, wallets: Collection[str], condition_id: str = "") -> Iterator[Trade]:
        """Those in which one of these wallets (lower case) has a part, in one market or in all."""
        keys = [(wallet, condition_id) if condition_id else wallet for wallet in wallets]
        found = {name: one for key in keys for name, one in self._by.get(key, {}).items()}
        # A wallet's own are in their order already.
        several = sum(key in self._by for key in keys) > 1
        return iter(sorted(found.values(), key=lambda one: one.number) if several else found.values())

    def of_builder(self, code: str, condition_id: str = "") -> Iterator[Trade]:
        """Those with an order that carries this code (hex digits), in one market or in all."""
        if code == NO_BUILDER:
            return (one for one in self._all.values() if condition_id in ("", one.market.condition_id))
        return iter(self._by.get(("builder", code, condition_id), {}).values())


def _keys(trade: Trade) -> set[Hashable]:
    condition, keys = trade.market.condition_id, set[Hashable]()
    for part in trade.parts:
        wallet, code = part.order.posted.wallet, part.order.posted.signed.builder.hex()
        keys |= {wallet, (wallet, condition)}
        if code != NO_BUILDER:
            keys |= {("builder", code, ""), ("builder", code, condition)}
    return keys
