"""Reading JSON-RPC parameters: every malformed one is an InvalidParams that says which."""

from __future__ import annotations

import re
from typing import Any, cast

from services.venue.node.errors import InvalidParams
from services.venue.node.evm import CALL_GAS, Call

ZERO = b"\0" * 20
MAX_WEI = 2**128 - 1
_QUANTITY = re.compile(r"0[xX][0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*")


def text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidParams(f"{what}: expected a string")
    return value


def quantity(value: Any, what: str) -> int:
    """A hex quantity of at most 256 bits; plain integers are taken too, as most nodes do."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    written = text(value, what)
    if not _QUANTITY.fullmatch(written):
        raise InvalidParams(f"{what}: expected a hex quantity of at most 256 bits")
    return int(written, 16)


def wei(value: Any, what: str) -> int:
    """An amount of money. More than there can ever be is refused, so that no sum of balances overflows the EVM."""
    amount = quantity(value, what)
    if amount > MAX_WEI:
        raise InvalidParams(f"{what}: at most {MAX_WEI:#x}")
    return amount


def data(value: Any, what: str, length: int | None = None) -> bytes:
    written = text(value, what)
    if not _DATA.fullmatch(written) or (length is not None and len(written) != 2 + 2 * length):
        raise InvalidParams(f"{what}: expected 0x and {length or 'any number of'} bytes")
    return bytes.fromhex(written[2:])


def address(value: Any, what: str = "address") -> bytes:
    return data(value, what, 20)


def mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParams(f"{what}: expected an object")
    return cast("dict[str, Any]", value)


def call(value: Any) -> Call:
    """The first parameter of eth_call and eth_estimateGas."""
    fields = mapping(value, "call")
    return Call(
        sender=address(fields["from"], "from") if fields.get("from") else ZERO,
        to=address(fields.get("to"), "to"),
        data=payload(fields),
        value=quantity(fields.get("value") or 0, "value"),
        gas=quantity(fields.get("gas") or CALL_GAS, "gas"),
    )


def payload(fields: dict[str, Any]) -> bytes:
    written = fields.get("input") or fields.get("data") or "0x"
    return data(written, "data")
