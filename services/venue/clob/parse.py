"""The body of `POST /order` as an order: strict in every field (venue.md 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson
from eth_utils.address import is_address, to_checksum_address

from services.venue.credentials import ApiKey
from services.venue.digits import whole
from services.venue.model import OrderType, PostedOrder
from services.venue.refusals import Refusal
from services.venue.settlement import SignedOrder
from services.venue.signing import order_hash, signer

EOA = 0
SIDES = {"BUY": 0, "SELL": 1}
LARGEST = 2**256 - 1
INVALID = "Invalid order payload"


def read_body(raw: bytes, refusal: str = INVALID) -> object:
    """JSON, or the venue's refusal in these words."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(refusal) from error


def read_order(payload: object, key: ApiKey) -> PostedOrder:
    """A signed order of the wallet that the API key belongs to. Raises `Refusal`."""
    body = _mapping(payload)
    signed = _signed(_mapping(body.get("order")))
    if body.get("owner") != key.key:
        raise Refusal("the order owner has to be the owner of the API KEY")
    if signed.signer != key.address:
        raise Refusal("the order signer address has to be the address of the API KEY")
    digest = order_hash(signed)
    if (
        signed.signature_type != EOA
        or signed.maker != signed.signer
        or signer(digest, signed.signature) != signed.signer
    ):
        raise Refusal("invalid signature")
    return PostedOrder(
        order_hash="0x" + digest.hex(),
        signed=signed,
        order_type=_order_type(body.get("orderType")),
        owner=key.key,
        expiration=_whole(_mapping(body.get("order")), "expiration", LARGEST),
        post_only=body.get("postOnly") is True,
    )


def _signed(order: Mapping[str, Any]) -> SignedOrder:
    return SignedOrder(
        salt=_whole(order, "salt", LARGEST),
        maker=_address(order, "maker"),
        signer=_address(order, "signer"),
        token_id=_whole(order, "tokenId", LARGEST),
        maker_amount=_whole(order, "makerAmount", LARGEST),
        taker_amount=_whole(order, "takerAmount", LARGEST),
        side=_side(order.get("side")),
        signature_type=_whole(order, "signatureType", 3),
        timestamp=_whole(order, "timestamp", LARGEST),
        metadata=_bytes(order, "metadata", 32),
        builder=_bytes(order, "builder", 32),
        signature=_bytes(order, "signature", 65),
    )


def _whole(fields: Mapping[str, Any], name: str, most: int) -> int:
    value = fields.get(name)
    if isinstance(value, str):
        value = whole(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _invalid()
    return value


def _address(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not is_address(value):
        raise _invalid()
    return to_checksum_address(value)


def _bytes(fields: Mapping[str, Any], name: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(str(fields.get(name)).removeprefix("0x"))
    except ValueError as error:
        raise _invalid() from error
    if len(value) != size:
        raise _invalid()
    return value


def _side(value: object) -> int:
    if not isinstance(value, str) or value not in SIDES:
        raise _invalid()
    return SIDES[value]


def _order_type(value: object) -> OrderType:
    try:
        return OrderType(str(value))
    except ValueError as error:
        raise _invalid() from error


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _invalid()
    return cast(Mapping[str, Any], value)


def _invalid() -> Refusal:
    return Refusal(INVALID)
