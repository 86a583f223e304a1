"""An order as its owner signed it, and as the contracts take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """The eleven signed fields and the signature, as they go on chain; side 0 is BUY, 1 is SELL."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes
    builder: bytes
    signature: bytes


def order_tuple(order: SignedOrder) -> tuple[Any, ...]:
    """An order as the contracts' ABI takes it."""
    return (
        order.salt,
        order.maker,
        order.signer,
        order.token_id,
        order.maker_amount,
        order.taker_amount,
        order.side,
        order.signature_type,
        order.timestamp,
        order.metadata,
        order.builder,
        order.signature,
    )
