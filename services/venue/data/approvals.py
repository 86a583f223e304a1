"""What a wallet has allowed the protocol's contracts, as the chain says."""

from __future__ import annotations

from services.venue.approvals import PAIRS, UNLIMITED, Pair
from services.venue.data.rows import Row
from services.venue.node import calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Node

_ALLOWANCE: Signature = ("allowance", ("address", "address"))
_IS_APPROVED: Signature = ("isApprovedForAll", ("address", "address"))


class Approvals:
    """Reads the chain, all pairs at once."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def of(self, wallet: str) -> list[Row]:
        """One row for each pair. Raises as the node does."""
        calls = [("eth_call", [{"to": pair.token, "data": _question(pair, wallet)}, "latest"]) for pair in PAIRS]
        answers = await self._node.batch(calls)
        # Where there is no token, nothing is allowed: its answer is empty.
        return [
            _row(pair, int(str(answer), 16) if len(str(answer)) > 2 else 0)
            for pair, answer in zip(PAIRS, answers, strict=True)
        ]


def _question(pair: Pair, wallet: str) -> str:
    return calldata.write(_ALLOWANCE if pair.standard == "ERC20" else _IS_APPROVED, wallet, pair.spender)


def _row(pair: Pair, allowed: int) -> Row:
    row: Row = {
        "id": pair.name,
        "feature": pair.feature,
        "token": pair.token.lower(),
        "spender": pair.spender.lower(),
        "standard": pair.standard,
    }
    if pair.standard != "ERC20":
        return row | {"approved": allowed > 0}
    if not pair.lasting:
        return row | {"amount": str(allowed), "approved": allowed > 0}
    # The real one says "max" also where nothing is allowed. The exchange takes its part of an unlimited allowance, and it stays one.
    return row | {"amount": "max", "approved": allowed >= UNLIMITED >> 1}
