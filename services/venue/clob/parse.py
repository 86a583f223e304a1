"""The body of `POST /order` as an order: strict in every field, each of its own JSON type (venue.md 3.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from services.venue.accounts import Kind, account_of
from services.venue.contracts import ALL, RETIRED, Contract
from services.venue.credentials import ApiKey
from services.venue.digits import whole
from services.venue.model import OrderType, PostedOrder
from services.venue.refusals import Refusal, other_version, used_nonce
from services.venue.signatures import order_signer
from services.venue.signed import SignedOrder
from services.venue.signing import SIGNATURE_BYTES, checksummed, order_hash

SIDES = {"BUY": 0, "SELL": 1}
LARGEST = 2**256 - 1
INVALID = "Invalid order payload"
# A contract wallet's signature is as long as its wallet likes.
LONGEST_SIGNATURE = 1_024
# What only an order of version 1 says, and what only one of today does.
OLD_FIELDS, NEW_FIELDS = ("taker", "nonce", "feeRateBps"), ("timestamp", "metadata", "builder")
_ADDRESS = re.compile(r"(?:0x)?[0-9a-fA-F]{40}")
_HEX = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{2})*")


class Malformed(Refusal):
    """An order with a field of another shape. The venue says no more than that; the journal says which."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(INVALID)
        self.field = field
        self.expected = expected


def read_body(raw: bytes, refusal: str = INVALID) -> object:
    """JSON, or the venue's refusal in these words."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(refusal) from error


def fields(body: object, refusal: str = INVALID) -> dict[str, Any]:
    """A JSON object, or the venue's refusal in these words."""
    if not isinstance(body, dict):
        raise Refusal(refusal)
    return cast(dict[str, Any], body)


def read_order(payload: object, key: ApiKey, contract_of: Callable[[str], Contract]) -> PostedOrder:
    """A signed order of a wallet of the signer whom the API key belongs to; `contract_of` a token is what it has to be signed
    for. Raises `Refusal`."""
    body = _mapping(payload, "body")
    order = _mapping(body.get("order"), "order")
    _require_version(order)
    signed = _signed(order)
    order_type = _order_type(body.get("orderType"))
    post_only = _flag(body, "postOnly")
    # What the answer need not wait for: no answer of this venue waits for the chain, whatever this says.
    _flag(body, "deferExec")
    expiration = _digits(order, "expiration")
    if body.get("owner") != key.key:
        raise Refusal("the order owner has to be the owner of the API KEY")
    kind, account = Kind(signed.signature_type), account_of(key.address)
    # A deposit wallet is its own signer; its key shows only in the signature.
    if signed.signer not in (account.deposits if kind is Kind.DEPOSIT else (key.address,)):
        raise Refusal("the order signer address has to be the address of the API KEY")
    contract = contract_of(str(signed.token_id))
    digest = order_hash(signed, contract)
    his = signed.maker in account.wallets(kind) and (kind is not Kind.DEPOSIT or signed.maker == signed.signer)
    if not his or order_signer(digest, signed) != key.address:
        raise other_version() if his and _of_another_version(signed, key, contract) else Refusal("invalid signature")
    return PostedOrder(
        order_hash="0x" + digest.hex(),
        signed=signed,
        order_type=order_type,
        owner=key.key,
        expiration=expiration,
        post_only=post_only,
    )


def _require_version(order: Mapping[str, Any]) -> None:
    if not any(name in order for name in NEW_FIELDS) and any(name in order for name in OLD_FIELDS):
        raise other_version()
    if str(order.get("nonce", 0)) != "0":
        raise used_nonce()


def _of_another_version(signed: SignedOrder, key: ApiKey, contract: Contract) -> bool:
    """Whether this key has signed the order for an exchange of another version than its market's."""
    others = [one for one in (*ALL, *RETIRED) if one.domain_version != contract.domain_version]
    return any(order_signer(order_hash(signed, one), signed) == key.address for one in others)


def _signed(order: Mapping[str, Any]) -> SignedOrder:
    kind = Kind(_number(order, "signatureType", max(Kind)))
    return SignedOrder(
        salt=_number(order, "salt", LARGEST),
        maker=_address(order, "maker"),
        signer=_address(order, "signer"),
        token_id=_digits(order, "tokenId"),
        maker_amount=_digits(order, "makerAmount"),
        taker_amount=_digits(order, "takerAmount"),
        side=_side(order.get("side")),
        signature_type=kind,
        timestamp=_digits(order, "timestamp"),
        metadata=_bytes(order, "metadata", 32),
        builder=_bytes(order, "builder", 32),
        signature=_signature(order, kind),
    )


def _number(fields: Mapping[str, Any], name: str, most: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Malformed(name, f"a JSON number from 0 to {most}")
    return value


def _digits(fields: Mapping[str, Any], name: str) -> int:
    written = fields.get(name)
    value = whole(written) if isinstance(written, str) else None
    if value is None or not 0 <= value <= LARGEST:
        raise Malformed(name, "a text of digits, below 2^256")
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    """False where it is left out."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Malformed(name, "true or false")
    return value


def _address(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise Malformed(name, "an address")
    digits, written = value[-40:], checksummed("0x" + value[-40:].lower())
    # Letters of both cases are a checksum.
    if digits not in (digits.lower(), digits.upper(), written[2:]):
        raise Malformed(name, "an address with its checksum")
    return written


def _bytes(fields: Mapping[str, Any], name: str, size: int) -> bytes:
    value = _hex(fields, name)
    if len(value) != size:
        raise Malformed(name, f"{size} bytes of hex")
    return value


def _signature(order: Mapping[str, Any], kind: Kind) -> bytes:
    if kind is not Kind.DEPOSIT:
        return _bytes(order, "signature", SIGNATURE_BYTES)
    value = _hex(order, "signature")
    if not SIGNATURE_BYTES <= len(value) <= LONGEST_SIGNATURE:
        raise Malformed("signature", f"{SIGNATURE_BYTES} to {LONGEST_SIGNATURE} bytes of hex")
    return value


def _hex(fields: Mapping[str, Any], name: str) -> bytes:
    value = fields.get(name)
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise Malformed(name, "a text of hex")
    return bytes.fromhex(value.removeprefix("0x"))


def _side(value: object) -> int:
    if not isinstance(value, str) or value not in SIDES:
        raise Malformed("side", "BUY or SELL")
    return SIDES[value]


def _order_type(value: object) -> OrderType:
    if not isinstance(value, str) or value not in list(OrderType):
        raise Malformed("orderType", f"one of {', '.join(OrderType)}")
    return OrderType(value)


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(name, "a JSON object")
    return cast(Mapping[str, Any], value)
