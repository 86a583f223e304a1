"""Names for what a contract reverted with."""

from __future__ import annotations

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from services.venue.node.artifacts import error_names

_ERROR_STRING = bytes.fromhex("08c379a0")


def reason(output: bytes) -> str:
    """`NotCrossing` for a named error, the text of an Error(string), the selector of an unknown one, "" for none."""
    if not output:
        return ""
    selector = output[:4]
    if selector == _ERROR_STRING:
        return _text(output[4:])
    return error_names().get("0x" + selector.hex(), "0x" + selector.hex())


def _text(encoded: bytes) -> str:
    try:
        return str(decode(["string"], encoded)[0])
    except DecodingError:
        return ""
