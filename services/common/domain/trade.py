"""A leader's fill: what the monitor saw, and the key that makes it one."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.common.domain.market import Side
from services.common.domain.money import MICRO


class Role(StrEnum):
    """The part that the leader's order played in the match."""

    TAKER = "TAKER"
    MAKER = "MAKER"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class LeaderTrade:
    """One fill of one order of a leader in one transaction (orders.md 2), or what he gave away without a sale.

    The latter has no order, no price, and the shares by which his balance went down: a merge, a conversion or a transfer away.
    `key` is `chainId|txHash|orderHash` where the chain was read, `txHash|token|side|size|k` where it cannot be asked.
    `block_number` and `log_index` order trades of one chain; a recorded history uses its rows' order instead.
    `counterparties` are the wallets whose orders met his, in lower case; None where nobody has read them.
    """

    key: str
    leader: str
    token_id: str
    side: Side
    shares_micros: int
    usdc_micros: int
    traded_at: datetime
    tx_hash: str
    order_hash: str
    block_number: int
    log_index: int
    role: Role = Role.UNKNOWN
    block_hash: str = ""
    condition_id: str = ""
    counterparties: tuple[str, ...] | None = None

    @property
    def is_fill(self) -> bool:
        """Whether it was traded at the venue."""
        return bool(self.order_hash)

    @property
    def price_micros(self) -> int:
        """The average price in millionths, rounded to the nearest."""
        return (self.usdc_micros * MICRO + self.shares_micros // 2) // self.shares_micros if self.shares_micros else 0

    @property
    def fill(self) -> str:
        """What a reorg leaves alone of a fill: the leader, his order and the amounts. He can have filled twice for the same."""
        return f"{self.leader}|{self.order_hash}|{self.shares_micros}|{self.usdc_micros}"

    def plus(self, other: "LeaderTrade") -> "LeaderTrade":
        """Two logs of one (transaction, order) are one trade."""
        return replace(
            self,
            shares_micros=self.shares_micros + other.shares_micros,
            usdc_micros=self.usdc_micros + other.usdc_micros,
            log_index=min(self.log_index, other.log_index),
            counterparties=_both(self.counterparties, other.counterparties),
        )


def _both(some: tuple[str, ...] | None, others: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if some is None or others is None else tuple(sorted({*some, *others}))


def trade_key(chain_id: int, tx_hash: str, order_hash: str) -> str:
    """The key of a fill that the chain vouches for; it survives a reorg, log indexes do not."""
    return f"{chain_id}|{tx_hash.lower()}|{order_hash.lower()}"


def movement_key(chain_id: int, tx_hash: str, leader: str, token_id: str) -> str:
    """The key of what a leader gave away of a token in one transaction, without a sale."""
    return f"{chain_id}|{tx_hash.lower()}|{leader.lower()}|{token_id}"


def row_key(tx_hash: str, token_id: str, side: Side, shares_micros: int, ordinal: int) -> str:
    """The key of a recorded row; `ordinal` counts identical rows, which can all be real fills (venue.md 1.4)."""
    return f"{tx_hash.lower()}|{token_id}|{side}|{shares_micros}|{ordinal}"


def idempotency_key(account: str, key: str) -> str:
    """The key of one account's copy of one trade: unique per account, free of time and of the process that made it."""
    return hashlib.sha256(f"pc1|{account}|{key}".encode()).hexdigest()
