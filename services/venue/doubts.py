"""Matches whose transaction a reorganisation may have taken: mined under another hash, still waiting, or lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.venue.data.logs import FILLED
from services.venue.node.client import Node
from services.venue.onchain import Match, filled_by, filled_in


class Doubts:
    """Matches are named by the hash under which they were sent. The orders that a transaction fills say which match it is."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sent_as: dict[frozenset[str], str] = {}
        self._fork = 0
        # Whether the node has still to be asked which of them it knows.
        self.open = False

    def raise_about(self, sent: Mapping[str, Match], fork: int) -> None:
        """Blocks behind `fork` are new, and nothing of what was sent and is not mined is certain."""
        self._fork = min(fork, self._fork) if self.open else fork
        self._sent_as = {filled_by(match): name for name, match in sent.items()}
        self.open = True

    def claim(self, receipt: Mapping[str, Any]) -> str:
        """The hash under which that was sent which this transaction has settled; empty where it is none of ours."""
        return self._sent_as.get(filled_in(receipt), "") if self._sent_as else ""

    def settle(self, name: str, match: Match) -> None:
        """That match is certain."""
        if self._sent_as.get(orders := filled_by(match)) == name:
            del self._sent_as[orders]

    async def lost(self, sent: Mapping[str, Match]) -> list[str]:
        """Those that the node knows nothing of, and whose orders nothing has filled behind the fork."""
        names = list(sent)
        known = await self._node.batch([("eth_getTransactionByHash", [name]) for name in names])
        unknown = [name for name, one in zip(names, known, strict=True) if one is None]
        filled = await self._filled({one for name in unknown for one in filled_by(sent[name])})
        self.open = False
        return [name for name in unknown if filled_by(sent[name]) not in filled]

    async def _filled(self, orders: set[str]) -> set[frozenset[str]]:
        """What each transaction behind the fork has filled that fills one of these orders."""
        if not orders:
            return set()
        asked = {"fromBlock": hex(self._fork + 1), "toBlock": "latest", "topics": [FILLED, sorted(orders)]}
        together: dict[str, set[str]] = {}
        for log in await self._node.call("eth_getLogs", asked):
            together.setdefault(log["transactionHash"], set()).add(log["topics"][1])
        return {frozenset(one) for one in together.values()}
