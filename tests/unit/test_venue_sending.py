"""The numbers under which one account sends, also when its node forgets what it was sent."""

import asyncio
from typing import Any

from services.venue.node.errors import RpcError
from services.venue.sending import Sender

NO_MORE_THAN_S = 5


class Node:
    """One that counts what it takes, holds a transaction back where it is told to, and may forget."""

    def __init__(self) -> None:
        self.taken = self.refused = 0
        self.held, self.arrived = asyncio.Event(), asyncio.Event()
        self.held.set()

    async def call(self, method: str, *arguments: Any) -> str:
        if method == "eth_getTransactionCount":
            return hex(self.taken)
        number = int(arguments[0]["nonce"], 16)
        if number != self.taken:
            self.refused += 1
            raise RpcError(-32000, f"nonce {number} and not {self.taken}")
        self.taken += 1
        self.arrived.set()
        await self.held.wait()
        return f"0x{number}"


async def test_what_is_on_its_way_does_not_bring_back_the_number_that_was_given_up():
    node: Any = Node()
    sender = Sender(node, "0x1")
    async with asyncio.timeout(NO_MORE_THAN_S):
        assert await sender.send([{}]) == ["0x0"]
        node.held.clear()
        node.arrived.clear()
        sending = asyncio.create_task(sender.send([{}]))
        await node.arrived.wait()
        asking = asyncio.create_task(sender.ask_again())
        await asyncio.sleep(0)
        # Both are gone with their blocks; the second is answered for nevertheless.
        node.taken = 0
        node.held.set()
        assert await sending == ["0x1"]
        await asking

    assert await sender.send([{}]) == ["0x0"]
    assert node.refused == 0
