"""Who holds how many shares, as the conditional tokens say it."""

from __future__ import annotations

from services.venue.contracts import MOST_IDS, tokens_of
from services.venue.node import calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Node

_BALANCES: Signature = ("balanceOfBatch", ("address[]", "uint256[]"))


async def balances(node: Node, wallet: str, token_ids: list[str]) -> list[int]:
    """Micro-shares of each token, read of the latest block."""
    kept: dict[str, list[str]] = {}
    for token in token_ids:
        kept.setdefault(tokens_of(token), []).append(token)
    held: dict[str, int] = {}
    for contract, tokens in kept.items():
        for start in range(0, len(tokens), MOST_IDS):
            asked = tokens[start : start + MOST_IDS]
            held |= zip(asked, await _balances(node, contract, wallet, asked), strict=True)
    return [held[token] for token in token_ids]


async def _balances(node: Node, contract: str, wallet: str, tokens: list[str]) -> list[int]:
    data = calldata.write(_BALANCES, [wallet] * len(tokens), [int(token) for token in tokens])
    answer = await node.call("eth_call", {"to": contract, "data": data}, "latest")
    return list(calldata.read(["uint256[]"], answer)[0])
