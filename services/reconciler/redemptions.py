"""Finds in the finalized chain what was paid out of a wallet's tokens, transaction by transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.domain.account import Account
from services.common.domain.fill import Position
from services.common.ports.chain import Chain, ChainUnavailable, Receipt, Transfer
from services.common.ports.stores import Stores

NOBODY = "0x" + "0" * 40
LOOKED_AGAIN = 256
"""Blocks that are looked at again: the node that is asked for logs may lag behind the one that said what is final."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """Shares of one token that one transaction paid out."""

    tx_hash: str
    shares_micros: int


class Redemptions:
    """One account's. Remembers up to which block each token was looked for; after a start it looks from its last fill on."""

    def __init__(self, account: Account, stores: Stores, chain: Chain) -> None:
        self._account = account
        self._stores = stores
        self._chain = chain
        self._next: dict[str, int] = {}

    async def of(self, position: Position, last_block: int) -> tuple[Redemption, ...]:
        """What was paid out up to a finalized block, in the chain's order, of a token whose market is resolved; what is booked already, too.

        Raises `ChainUnavailable` and `StoreUnavailable`.
        """
        first = self._next.get(position.token_id) or await self._last_fill(position.token_id)
        if first is None:
            return ()
        moves = await self._chain.transfers(self._account.wallet, position.token_id, first, last_block)
        found = [await self._of(tx, position) for tx in dict.fromkeys(m.tx_hash for m in moves if self._leaves(m))]
        return tuple(one for one in found if one is not None)

    def seen(self, token_id: str, last_block: int) -> None:
        """All that was found up to this block is booked."""
        self._next[token_id] = max(last_block + 1 - LOOKED_AGAIN, 1)

    async def _last_fill(self, token_id: str) -> int | None:
        """The block of the last fill of this token: nothing is traded any more when it is paid out."""
        fills = await self._stores.positions.fills([self._account.account_id])
        return max((one.block_number for one in fills if one.token_id == token_id and one.block_number), default=None)

    def _leaves(self, move: Transfer) -> bool:
        return move.sender.lower() == self._account.wallet.lower()

    async def _of(self, tx_hash: str, position: Position) -> Redemption | None:
        receipt = await self._chain.receipt(tx_hash)
        if receipt is None:
            raise ChainUnavailable(f"{tx_hash} is final, and its receipt is not there")
        shares = _paid_out(receipt, self._account.wallet.lower(), position)
        return Redemption(tx_hash, shares) if shares > 0 else None


def _paid_out(receipt: Receipt, wallet: str, position: Position) -> int:
    """By how much the wallet has less of the token, where this transaction paid out its market, destroyed as many, and sold none of
    it. Shares may go by an adapter, which is paid for them and passes the cash on."""
    if not receipt.ok or position.condition_id.lower() not in receipt.redeemed:
        return 0
    if any((fill.maker.lower(), fill.token_id) == (wallet, position.token_id) for fill in receipt.fills):
        return 0
    moves = [move for move in receipt.transfers if move.token_id == position.token_id]
    gone = _sum(moves, sender=wallet) - _sum(moves, receiver=wallet)
    return gone if gone <= _sum(moves, receiver=NOBODY) else 0


def _sum(moves: Sequence[Transfer], sender: str = "", receiver: str = "") -> int:
    return sum(
        move.shares_micros
        for move in moves
        if sender in {"", move.sender.lower()} and receiver in {"", move.receiver.lower()}
    )
