"""What each wallet has done, from the venue's own books: figures to hold another book against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.venue.journal import Line
from services.venue.model import Fill, Side


class Summary:
    """Adds up fills and the journal's lines when asked."""

    def __init__(self, fills: Sequence[Fill], lines: Callable[[], Sequence[Line]], names: Mapping[str, str]) -> None:
        self._fills = fills
        self._lines = lines
        self._names = {address.lower(): name for address, name in names.items()}

    def report(self) -> dict[str, Any]:
        """By wallet, lower case: requests received and orders accepted over the network, fills, money in and out, and shares by token."""
        wallets: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            if line["kind"] == "order_received":
                wallet = self._wallet(wallets, str(line["maker"]))
                wallet["orders_received"] += 1
                wallet["orders_accepted"] += line["outcome"] == "accepted"
        for fill in self._fills:
            _add(self._wallet(wallets, fill.wallet), fill)
        return {"wallets": wallets}

    def _wallet(self, wallets: dict[str, dict[str, Any]], address: str) -> dict[str, Any]:
        wallet = address.lower()
        empty: dict[str, Any] = {
            "name": self._names.get(wallet, ""),
            "orders_received": 0,
            "orders_accepted": 0,
            "orders_filled": 0,
            "fills": 0,
            "spent_micros": 0,
            "earned_micros": 0,
            "fees_micros": 0,
            "shares": {},
            "order_hashes": [],
        }
        return wallets.setdefault(wallet, empty)


def _add(wallet: dict[str, Any], fill: Fill) -> None:
    buys = fill.side is Side.BUY
    wallet["fills"] += 1
    wallet["fees_micros"] += fill.fee_micros
    wallet["spent_micros" if buys else "earned_micros"] += fill.usdc_micros
    held = wallet["shares"].get(fill.token_id, 0)
    wallet["shares"][fill.token_id] = held + (fill.size_micros if buys else -fill.size_micros)
    if fill.order_hash not in wallet["order_hashes"]:
        wallet["order_hashes"].append(fill.order_hash)
    wallet["orders_filled"] = len(wallet["order_hashes"])
