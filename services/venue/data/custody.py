"""Who holds how many shares, as the conditional tokens say it."""

from __future__ import annotations

from services.venue.node import addresses, calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Node

_BALANCES: Signature = ("balanceOfBatch", ("address[]", "uint256[]"))


async def balances(node: Node, wallet: str, token_ids: list[str]) -> list[int]:
    """Micro-shares of each token, in one read of the latest block."""
    if not token_ids:
        return []
    data = calldata.write(_BALANCES, [wallet] * len(token_ids), [int(token) for token in token_ids])
    answer = await node.call("eth_call", {"to": addresses.CONDITIONAL_TOKENS, "data": data}, "latest")
    return list(calldata.read(["uint256[]"], answer)[0])
