"""Signing the traders' orders, the way any client of the venue does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import cast

from coincurve import PrivateKey

from services.venue.contracts import Contract
from services.venue.model import MICRO, OrderType, PostedOrder, Side
from services.venue.signed import SignedOrder
from services.venue.signing import order_hash
from services.venue.traders.wallets import Trader

MAX_SALT = 2**53


class Pen:
    """Salts follow from the seed, timestamps from the clock, domains from the token. `owner` stands for an API key: the traders have none."""

    def __init__(self, seed: int, now_ms: Callable[[], int], contract_of: Callable[[str], Contract]) -> None:
        self._random = Random(f"salts {seed}")
        self._now_ms = now_ms
        self._contract_of = contract_of
        self._keys: dict[str, PrivateKey] = {}

    def order(
        self, trader: Trader, token_id: str, side: Side, shares_micros: int, limit_micros: int, kind: OrderType
    ) -> PostedOrder:
        """An order of an externally owned account. Shares times price must be whole micro-dollars."""
        usdc_micros = shares_micros * limit_micros // MICRO
        buys = side is Side.BUY
        unsigned = SignedOrder(
            salt=self._random.randrange(1, MAX_SALT),
            maker=trader.address,
            signer=trader.address,
            token_id=int(token_id),
            maker_amount=usdc_micros if buys else shares_micros,
            taker_amount=shares_micros if buys else usdc_micros,
            side=0 if buys else 1,
            signature_type=0,
            timestamp=self._now_ms(),
            metadata=bytes(32),
            builder=bytes(32),
            signature=b"",
        )
        return self._signed(trader, unsigned, kind)

    def _signed(self, trader: Trader, order: SignedOrder, kind: OrderType) -> PostedOrder:
        digest = order_hash(order, self._contract_of(str(order.token_id)))
        sign = cast(Callable[..., bytes], self._key(trader).sign_recoverable)  # pyright: ignore[reportUnknownMemberType]
        signature = sign(digest, hasher=None)
        whole = signature[:64] + bytes([signature[64] + 27])
        signed = replace(order, signature=whole)
        return PostedOrder("0x" + digest.hex(), signed, kind, f"venue:{trader.name}")

    def _key(self, trader: Trader) -> PrivateKey:
        if trader.name not in self._keys:
            self._keys[trader.name] = PrivateKey(bytes(trader.account.key))
        return self._keys[trader.name]
