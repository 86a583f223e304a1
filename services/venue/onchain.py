"""What settles a trade: one call of the exchange, known on the chain by the orders that it fills, whatever its transaction is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.venue.contracts import STANDARD, Contract
from services.venue.data.logs import FILLED
from services.venue.node import calldata
from services.venue.signed import SignedOrder, order_tuple
from services.venue.signing import order_hash


@dataclass(frozen=True, slots=True)
class Match:
    """One on-chain transaction. Fills are in units of each order's maker asset, fees in micro-USDC."""

    match_id: str
    condition_id: str
    taker: SignedOrder
    makers: tuple[SignedOrder, ...]
    taker_fill: int
    maker_fills: tuple[int, ...]
    taker_fee: int
    maker_fees: tuple[int, ...]
    contract: Contract = STANDARD


def match_calldata(match: Match) -> str:
    """The matchOrders call of a match, 0x…"""
    return calldata.write(
        calldata.MATCH_ORDERS,
        bytes.fromhex(match.condition_id.removeprefix("0x")),
        order_tuple(match.taker),
        [order_tuple(maker) for maker in match.makers],
        match.taker_fill,
        list(match.maker_fills),
        match.taker_fee,
        list(match.maker_fees),
    )


def filled_by(match: Match) -> frozenset[str]:
    """The hashes of the orders that a match fills. No two matches fill the same: an order takes once, when it comes."""
    return frozenset("0x" + order_hash(order, match.contract).hex() for order in (match.taker, *match.makers))


def filled_in(receipt: Mapping[str, Any]) -> frozenset[str]:
    """The hashes of the orders that a transaction filled."""
    return frozenset(log["topics"][1] for log in receipt["logs"] if log["topics"][0] == FILLED)
