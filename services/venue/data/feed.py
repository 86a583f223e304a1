"""The feed of the Data API: the chain's rows as they are shown, late or stale where that is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count

import httpx
import structlog
from eth_utils.crypto import keccak

from services.venue.data.entries import BLOCK, Entry
from services.venue.data.follower import Follower, Joined
from services.venue.data.ledger import Ledger
from services.venue.data.query import Query
from services.venue.node.errors import RpcError

# Rows of an administrator come after all that a block's logs can number.
_CREDITS = BLOCK - 1_000_000
FOLLOWED_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class Feed:
    """`refresh` reads the chain; everything else is what was read last.

    Rows younger than `lag_ms` are not shown yet. With `recompute_ms` the chain is read no more often than that, as the real
    feed is recomputed every four seconds; with 0 every answer is of the newest block.
    """

    def __init__(
        self,
        ledger: Ledger,
        follower: Follower,
        names: Mapping[str, str],
        now_ms: Callable[[], int],
        *,
        lag_ms: int = 0,
    ) -> None:
        self.lag_ms = lag_ms
        self.recompute_ms = 0
        self.ledger = ledger
        self.version = 0
        self.computed_at_ms = 0
        self._follower = follower
        self._names = {address.lower(): name for address, name in names.items()}
        self._now_ms = now_ms
        self._reading = Joined(self._read)
        self._numbers = count()

    @property
    def head(self) -> int:
        """The newest block that was read."""
        return max(self._follower.head, 0)

    def name(self, wallet: str) -> str:
        """What the trader calls himself; empty for a stranger."""
        return self._names.get(wallet.lower(), "")

    def names(self) -> Mapping[str, str]:
        """By address in lower case."""
        return self._names

    async def refresh(self) -> None:
        """Reads what is new. Raises as the node does."""
        if not self.recompute_ms or self._now_ms() - self.computed_at_ms >= self.recompute_ms:
            await self._reading()

    async def follow(self) -> None:
        """Reads along for ever, whoever asks or not: the node forgets its logs, and what was never read would be missing."""
        while True:
            await asyncio.sleep(FOLLOWED_EVERY_S)  # clock: the node's, however the venue's runs
            try:
                await self.refresh()
            except (httpx.HTTPError, RpcError) as error:
                log.debug("the chain does not answer", error=repr(error))

    def find(self, query: Query, before: int | None = None) -> Iterator[Entry]:
        """Every row of the query in its order, beyond the row `before`."""
        return self.ledger.entries.find(query, shown_until=self._shown_until(), before=before)

    def of_wallet(self, wallet: str) -> list[Entry]:
        """All shown rows of a wallet, oldest first."""
        return self.shown(self.ledger.entries.of_wallet(wallet.lower()))

    def shown(self, entries: Iterable[Entry]) -> list[Entry]:
        until = self._shown_until()
        return [entry for entry in entries if until is None or entry.timestamp <= until]

    def credit(self, wallet: str, kind: str, usdc_micros: int) -> Entry:
        """A row of money that came or went without a trade: a reward, a rebate, a deposit, a withdrawal."""
        number = next(self._numbers)
        entry = Entry(
            sequence=self.head * BLOCK + _CREDITS + number,
            kind=kind,
            wallet=wallet.lower(),
            condition_id="",
            timestamp=self._follower.head_timestamp,
            shares_micros=usdc_micros,
            usdc_micros=usdc_micros,
            tx_hash="0x" + keccak(text=f"{kind} {number} {wallet.lower()}").hex(),
        )
        self.ledger.add(entry)
        self.version += 1
        return entry

    def _shown_until(self) -> int | None:
        return (self._now_ms() - self.lag_ms) // 1_000 if self.lag_ms else None

    async def _read(self) -> None:
        news = await self._follower.news()
        if news.gone_from is not None:
            self.ledger.undo(news.gone_from)
        for block in news.blocks:
            self.ledger.take(block)
        if news.blocks or news.gone_from is not None:
            self.version += 1
        self.computed_at_ms = self._now_ms()
