"""Calls to the venue's contracts as bytes, and their answers read back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

ORDER = "(uint256,address,address,uint256,uint256,uint256,uint8,uint8,uint256,bytes32,bytes32,bytes)"
MATCH_ORDERS = ("matchOrders", ("bytes32", ORDER, f"{ORDER}[]", "uint256", "uint256[]", "uint256", "uint256[]"))

Signature = tuple[str, tuple[str, ...]]


@cache
def selector(signature: Signature) -> bytes:
    name, types = signature
    return keccak(text=f"{name}({','.join(types)})")[:4]


def write(signature: Signature, *arguments: Any) -> str:
    """0x… calldata of one call."""
    return "0x" + (selector(signature) + encode(signature[1], arguments)).hex()


def read(types: Sequence[str], answer: str) -> tuple[Any, ...]:
    """The values in a 0x… answer."""
    return decode(types, bytes.fromhex(answer.removeprefix("0x")))
