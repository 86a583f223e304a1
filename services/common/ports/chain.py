"""The ports of the chain: receipts, logs, balances."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side


class ChainUnavailable(Exception):
    """No endpoint answered, or none could say; nothing is known."""


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """One `OrderFilled` log (venue.md 6.1): the maker's own side, token and amounts in base units (fee in micro-USDC)."""

    order_hash: str
    maker: str
    taker: str
    exchange: str
    side: Side
    token_id: str
    maker_amount: int
    taker_amount: int
    fee: int
    log_index: int

    @property
    def shares_micros(self) -> int:
        return self.taker_amount if self.side is Side.BUY else self.maker_amount

    @property
    def usdc_micros(self) -> int:
        return self.maker_amount if self.side is Side.BUY else self.taker_amount


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of outcome tokens (ERC-1155), one line per token of a batch."""

    sender: str
    receiver: str
    token_id: str
    shares_micros: int
    tx_hash: str
    block_number: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction: the fills and transfers that it emitted, in log order. `ok` False: it reverted.

    `redeemed` has the conditions of which it paid out outcome tokens.
    """

    tx_hash: str
    block_number: int
    block_hash: str
    block_at: datetime
    ok: bool
    fills: tuple[OrderFilled, ...]
    transfers: tuple[Transfer, ...]
    redeemed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block that an endpoint knows."""

    number: int
    at: datetime
    finalized: int
    chain_id: int


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """`getOrderStatus(hash)`: whether the exchange counts it as filled, and what remains of the maker amount."""

    filled: bool
    remaining: int


@dataclass(frozen=True, slots=True)
class FillLog:
    """A fill with where it stands in the chain."""

    fill: OrderFilled
    tx_hash: str
    block_number: int
    block_hash: str
    block_at: datetime | None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """A transaction in which an order of this wallet (lower-case) was filled or outcome tokens left it; its receipt says which."""

    wallet: str
    tx_hash: str
    block_number: int
    block_at: datetime | None
    removed: bool = False


class Witnesses(Protocol):
    """Further endpoints of the same chain."""

    async def agree(self) -> bool | None:
        """Whether those that answer know the same chain as the endpoint that is read from; None where none of them answers.

        Raises `ChainUnavailable` where that endpoint itself does not.
        """
        ...


class Chain(Protocol):
    """Polygon through JSON-RPC. Every call raises `ChainUnavailable` rather than answer what it does not know."""

    async def head(self) -> Head: ...

    async def receipt(self, tx_hash: str) -> Receipt | None:
        """None while the transaction is not mined."""
        ...

    async def fills_of(self, makers: Sequence[str], first_block: int, last_block: int) -> tuple[FillLog, ...]:
        """`OrderFilled` logs whose order belongs to one of `makers`, in chain order; splits ranges that an endpoint refuses."""
        ...

    async def fills_of_order(self, order_hash: str, first_block: int) -> tuple[FillLog, ...]: ...

    async def order_status(self, exchange: str, order_hash: str) -> OrderStatus: ...

    async def order_hash(self, fields: OrderFields) -> str | None:
        """The id that the order's exchange gives it (`hashOrder`); None where there is no such contract."""
        ...

    async def token_balance(self, wallet: str, token_id: str, block: int | None = None) -> int:
        """Micro-shares at the end of `block` (None: the latest)."""
        ...

    async def collateral_balance(self, wallet: str, block: int | None = None) -> int:
        """Micro-USDC at the end of `block` (None: the latest)."""
        ...

    async def transfers(self, wallet: str, token_id: str, first_block: int, last_block: int) -> tuple[Transfer, ...]:
        """The wallet's movements of one token within these blocks, in chain order."""
        ...

    async def sightings_of(self, wallets: Sequence[str], first_block: int, last_block: int) -> tuple[Sighting, ...]:
        """Where orders of these wallets were filled or outcome tokens left them, in chain order, once for each transaction and wallet."""
        ...

    def subscribe(self, wallets: Sequence[str]) -> AsyncIterator[Sighting]:
        """Sightings of these wallets as blocks arrive; raises `ChainUnavailable` when the socket dies or goes silent."""
        ...
