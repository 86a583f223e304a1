"""Further nodes of the chain, which are asked for one thing: whether they know the same blocks as the one that everything is read from."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog

from services.common.chain import decode
from services.common.chain.rpc import Rpc
from services.common.ports.chain import ChainUnavailable

log = structlog.get_logger()


class RpcWitnesses:
    """`Witnesses` over JSON-RPC: the nodes at `others` against the one at `url`."""

    def __init__(self, url: str, others: Sequence[str]) -> None:
        self._node = Rpc(url)
        # The name is for the log: an address may hold a key, and one host may have several nodes.
        self._others = [(urlsplit(other).hostname or "", Rpc(other)) for other in others]

    async def close(self) -> None:
        """Let the connections go."""
        await asyncio.gather(*(rpc.close() for rpc in (self._node, *(other for _, other in self._others))))

    async def agree(self) -> bool | None:
        if not self._others:
            return True
        ours = await _block(self._node, "latest")
        said = await asyncio.gather(*(self._says(name, other, ours) for name, other in self._others))
        heard = [one for one in said if one is not None]
        return all(heard) if heard else None

    async def _says(self, name: str, other: Rpc, ours: dict[str, Any]) -> bool | None:
        """Whether it has the same block at the lower of both heads. A hash stands for all that lies before it, the chain's id included."""
        try:
            theirs = await _block(other, "latest")
            if _number(theirs) > _number(ours):
                theirs = await _block(other, ours["number"])
        except ChainUnavailable as error:
            log.warning("witness_away", node=name, text=str(error)[:200])
            return None
        same = ours if _number(theirs) == _number(ours) else await _block(self._node, theirs["number"])
        if same["hash"] != theirs["hash"]:
            log.error("witness_disagrees", node=name, block=_number(theirs), theirs=theirs["hash"], ours=same["hash"])
        return same["hash"] == theirs["hash"]


async def _block(rpc: Rpc, at: str) -> dict[str, Any]:
    block = await rpc.call("eth_getBlockByNumber", at, False)
    if not block:
        raise ChainUnavailable(f"no block {at}")
    return block


def _number(block: dict[str, Any]) -> int:
    return decode.number(block["number"])
