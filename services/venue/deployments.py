"""Which contract wallets are on the chain."""

from __future__ import annotations

from services.venue.accounts import Kind, account_of
from services.venue.node.client import Node


class Deployments:
    """Methods raise the node's errors."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def has(self, wallet: str) -> bool:
        """Whether there is code at the address."""
        return await self._node.call("eth_getCode", wallet, "latest") != "0x"

    async def wallet_of(self, signer: str, kind: Kind) -> str:
        """A signer's wallet of a kind: of two deposit wallets the old one, where he has one, as the official clients choose."""
        account = account_of(signer)
        if kind is Kind.DEPOSIT and await self.has(account.deposits[1]):
            return account.deposits[1]
        return account.wallets(kind)[0]
