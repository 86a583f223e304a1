"""Reading JSON-RPC parameters: every malformed one is an InvalidParams that says which."""

from __future__ import annotations

from typing import Any, cast

from services.venue.node.errors import InvalidParams
from services.venue.node.evm import CALL_GAS, Call

ZERO = b"\0" * 20


def text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidParams(f"{what}: expected a string")
    return value


def quantity(value: Any, what: str) -> int:
    """A hex quantity; plain integers are taken too, as most nodes do."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        number = int(text(value, what), 16)
    except ValueError:
        raise InvalidParams(f"{what}: expected a hex quantity") from None
    if number < 0:
        raise InvalidParams(f"{what}: negative")
    return number


def data(value: Any, what: str, length: int | None = None) -> bytes:
    written = text(value, what)
    try:
        decoded = bytes.fromhex(written.removeprefix("0x"))
    except ValueError:
        raise InvalidParams(f"{what}: expected hex data") from None
    if not written.startswith("0x") or (length is not None and len(decoded) != length):
        raise InvalidParams(f"{what}: expected 0x and {length or 'any number of'} bytes")
    return decoded


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
        value=quantity(fields.get("value", 0), "value"),
        gas=quantity(fields.get("gas", CALL_GAS), "gas"),
    )


def payload(fields: dict[str, Any]) -> bytes:
    written = fields.get("input") or fields.get("data") or "0x"
    return data(written, "data")
