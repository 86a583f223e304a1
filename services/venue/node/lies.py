"""True answers made wrong in the ways that an endpoint out of step with its siblings gets them wrong."""

from __future__ import annotations

from typing import Any, cast

from services.venue.node import shapes

WORD = 64


def balance(result: Any, amount: int) -> Any:
    """Another number: of eth_getBalance, or the last word of what eth_call returned."""
    if not isinstance(result, str):
        return result
    if len(result) <= WORD:
        return shapes.quantity(amount)
    return result[:-WORD] + f"{amount:0{WORD}x}"


def status(result: Any) -> Any:
    """A receipt, or several, that say the opposite of how it went."""
    if isinstance(result, list):
        return [status(one) for one in cast("list[Any]", result)]
    if not isinstance(result, dict) or "status" not in result:
        return cast("Any", result)
    told = cast("dict[str, Any]", result)
    return told | {"status": "0x0" if told["status"] == "0x1" else "0x1"}


def without_logs(result: Any) -> Any:
    """Every other log of eth_getLogs is missing, the first with them; a receipt has none."""
    if isinstance(result, list):
        return cast("list[Any]", result)[1::2]
    if isinstance(result, dict) and "logs" in result:
        told = cast("dict[str, Any]", result)
        return {**told, "logs": []}
    return cast("Any", result)
