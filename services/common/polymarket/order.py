"""An order as it is built, named and written: integers in, the eleven fields, their hash, the bytes of the request."""

import json
from dataclasses import dataclass
from datetime import datetime

from services.common.domain.amounts import (
    InvalidAmounts,
    amounts,
    buy_amounts,
    exact_shares_micros,
    sell_amounts,
    share_step_micros,
)
from services.common.domain.intent import Intent, OrderFields
from services.common.domain.market import Side
from services.common.polymarket.eip712 import auth_digest, order_digest, order_hash

ZERO_BYTES32 = "0x" + "00" * 32
MAX_SALT = 2**53

__all__ = [
    "ZERO_BYTES32",
    "Contract",
    "InvalidAmounts",
    "amounts",
    "auth_digest",
    "build_order",
    "buy_amounts",
    "exact_shares_micros",
    "order_body",
    "order_digest",
    "order_hash",
    "sell_amounts",
    "share_step_micros",
]


@dataclass(frozen=True, slots=True)
class Contract:
    """The exchange that an order is signed for; part of the order's identity."""

    chain_id: int
    exchange: str
    domain_version: str


def build_order(
    contract: Contract,
    *,
    maker: str,
    signer: str,
    signature_type: int,
    token_id: str,
    side: Side,
    shares_micros: int,
    limit_micros: int,
    tick_micros: int,
    salt: int,
    now: datetime,
) -> OrderFields:
    """The fields of a marketable order; raises `InvalidAmounts` by name where the venue's grids do not have it."""
    if not 0 <= salt < MAX_SALT:
        raise ValueError("a salt travels as a JSON number and stays below 2^53")
    maker_amount, taker_amount = amounts(side, shares_micros, limit_micros, tick_micros)
    return OrderFields(
        salt=salt,
        maker=maker,
        signer=signer,
        token_id=token_id,
        maker_amount=maker_amount,
        taker_amount=taker_amount,
        side=side,
        signature_type=signature_type,
        timestamp_ms=int(now.timestamp() * 1000),
        metadata=ZERO_BYTES32,
        builder=ZERO_BYTES32,
        chain_id=contract.chain_id,
        exchange=contract.exchange,
        domain_version=contract.domain_version,
    )


def order_body(intent: Intent, owner: str) -> bytes:
    """The body of `POST /order`, byte for byte the same for the same intent; `owner` is the API key."""
    body = {
        "order": _signed_order(intent.fields, intent.signature),
        "owner": owner,
        "orderType": str(intent.order_type),
        "deferExec": False,
        "postOnly": False,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _signed_order(fields: OrderFields, signature: str) -> dict[str, str | int]:
    return {
        "salt": fields.salt,
        "maker": fields.maker,
        "signer": fields.signer,
        "tokenId": fields.token_id,
        "makerAmount": str(fields.maker_amount),
        "takerAmount": str(fields.taker_amount),
        "side": str(fields.side),
        "expiration": "0",
        "signatureType": fields.signature_type,
        "timestamp": str(fields.timestamp_ms),
        "metadata": fields.metadata,
        "builder": fields.builder,
        "signature": signature,
    }
