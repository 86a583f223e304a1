"""Sending one account's transactions, many in a request, each under a number of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import structlog

from services.venue.node.client import Node
from services.venue.node.errors import RpcError

RECONNECT_SECONDS = 0.2

log = structlog.get_logger(__name__)

Call = dict[str, str]


class Sender:
    """Knows the next nonce of its account; asks the node for it at first and whenever one was refused."""

    def __init__(self, node: Node, account: str) -> None:
        self._node = node
        self._account = account
        self._nonce: int | None = None
        self._line = asyncio.Lock()

    async def ask_again(self) -> None:
        """What was sent may be gone: the next number is the one that the node says, once what is being sent has got its own."""
        async with self._line:
            self._nonce = None

    async def send(self, calls: Sequence[Call]) -> list[str | RpcError]:
        """Sends until the node answers: the hash of each transaction, or why it is not taken."""
        async with self._line:
            answers = await self._together(calls) if len(calls) > 1 else [None]
            sent = [answer or await self._alone(call) for call, answer in zip(calls, answers, strict=True)]
            if len(calls) > 1 and any(isinstance(one, RpcError) for one in sent):
                # Those behind it wait for the number that it did not use.
                await self._alone({"from": self._account, "to": self._account, "value": "0x0"})
            return sent

    async def _together(self, calls: Sequence[Call]) -> list[str | None]:
        """The hashes of those that were taken at the first attempt."""
        try:
            first = await self._next_nonce()
            asked = [("eth_sendTransaction", [self._numbered(call, first + k)]) for k, call in enumerate(calls)]
            answers = await self._node.outcomes(asked)
        except httpx.HTTPError as error:
            # Whether they arrived is not known; sent again under the same numbers, none is settled twice.
            log.warning("node unreachable", error=repr(error))
            await asyncio.sleep(RECONNECT_SECONDS)  # clock: the node is reached in the machine's time
            return [None] * len(calls)
        taken = [None if isinstance(one, RpcError) else str(one) for one in answers]
        self._nonce = first + len(calls) if all(taken) else None
        return taken

    async def _alone(self, call: Call) -> str | RpcError:
        asked = False
        while True:
            try:
                asked = asked or self._nonce is None
                nonce = await self._next_nonce()
                sent = str(await self._node.call("eth_sendTransaction", self._numbered(call, nonce)))
            except RpcError as error:
                # Not taken, for what it is or because another has used the number.
                self._nonce = None
                if asked:
                    return error
            except httpx.HTTPError as error:
                # Whether it arrived is not known; under the same nonce it cannot be settled twice.
                log.warning("node unreachable", error=repr(error))
                await asyncio.sleep(RECONNECT_SECONDS)  # clock: the node is reached in the machine's time
            else:
                self._nonce = nonce + 1
                return sent

    async def _next_nonce(self) -> int:
        if self._nonce is None:
            self._nonce = int(await self._node.call("eth_getTransactionCount", self._account, "pending"), 16)
        return self._nonce

    @staticmethod
    def _numbered(call: Call, nonce: int) -> Call:
        return {**call, "nonce": hex(nonce)}
