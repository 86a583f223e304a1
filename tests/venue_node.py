"""The venue's chain in a test's own process: every block is mined when it is told to be."""

from typing import Any

from services.venue.node import addresses, genesis
from services.venue.node.admin import Admin
from services.venue.node.evm import Chain, Retention
from services.venue.node.faults import RpcFaults
from services.venue.node.forks import Forks
from services.venue.node.methods import Methods
from services.venue.node.miner import Miner

NOW = 1_790_000_000
NOBODYS = ["0x" + f"{number:02x}" * 20 for number in range(1, 6)]


class Node:
    """A chain in this process, asked as over JSON-RPC."""

    def __init__(self, retention: Retention = Retention()) -> None:  # noqa: B008
        self.miner = Miner(Chain(genesis.accounts(), NOW, retention=retention), block_ms=0, clock=lambda: NOW + 60)
        self.faults = RpcFaults(lambda: 0)
        Forks(self.miner, self.faults)
        self.methods = Methods(self.miner, finality=2, admin=Admin(self.miner, self.faults))

    async def __call__(self, method: str, *arguments: Any) -> Any:
        return await self.methods.answer(method, list(arguments))

    async def pay(self, to: str, wei: int = 7) -> str:
        return await self("eth_sendTransaction", {"from": addresses.ADMIN, "to": to, "value": hex(wei)})

    async def pay_each(self) -> list[str]:
        """One payment to everybody, each in a block of its own."""
        sent: list[str] = []
        for to in NOBODYS:
            sent.append(await self.pay(to))
            await self("evm_mine")
        return sent

    async def balances(self, tag: str = "latest") -> list[int]:
        return [int(await self("eth_getBalance", to, tag), 16) for to in NOBODYS]

    async def block_of(self, sent: str) -> int | None:
        receipt = await self("eth_getTransactionReceipt", sent)
        return int(receipt["blockNumber"], 16) if receipt else None
