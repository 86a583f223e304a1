"""What each wallet has done, from the venue's own books: figures to hold another book against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.venue.journal import Line

# What is mined counts, what is taken back no more.
FILLS = {"wallet_fill": 1, "wallet_fill_undone": -1}


class Summary:
    """Adds up fills and the journal's lines when asked."""

    def __init__(self, lines: Callable[[], Sequence[Line]], names: Mapping[str, str]) -> None:
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
            elif line["kind"] in FILLS:
                _add(self._wallet(wallets, str(line["wallet"])), line, FILLS[line["kind"]])
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


def _add(wallet: dict[str, Any], fill: Line, times: int) -> None:
    buys = fill["side"] == "BUY"
    wallet["fills"] += times
    wallet["fees_micros"] += times * fill["fee_micros"]
    wallet["spent_micros" if buys else "earned_micros"] += times * fill["usdc_micros"]
    held = wallet["shares"].get(fill["token"], 0)
    wallet["shares"][fill["token"]] = held + times * (fill["size_micros"] if buys else -fill["size_micros"])
    if fill["order_hash"] not in wallet["order_hashes"]:
        wallet["order_hashes"].append(fill["order_hash"])
    wallet["orders_filled"] = len(wallet["order_hashes"])
