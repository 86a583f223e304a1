"""The ports of what is held, what it came from, and how that compares.

As of every port of the store: see `services.common.ports.stores`.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from services.common.domain.account import ExposureChange
from services.common.domain.fill import Fill, LedgerLine, Position, ReconciliationResult
from services.common.ports.answers import Change, Page


class Positions(Protocol):
    """`user_positions`, `fills` and `ledger`, written by the reconciler (fills through `Copies.settle`)."""

    async def get(self, account_id: str, token_id: str) -> Position | None: ...

    async def of(self, accounts: Sequence[str]) -> tuple[Position, ...]: ...

    async def mark(self, account_id: str, token_id: str, mark_micros: int, now: datetime) -> None: ...

    async def resolve(self, position: Position, line: LedgerLine, change: ExposureChange) -> bool:
        """The transaction that takes a resolved market's token off the books: its line, the position it makes, and the account's change.
        False where there is such a line, or the position is not what is stored now moved by it: nothing was written."""
        ...

    async def fills_of(self, copy_id: str) -> tuple[Fill, ...]: ...

    async def fills(self, accounts: Sequence[str]) -> tuple[Fill, ...]: ...

    async def ledger(self, account_id: str, token_id: str | None = None) -> tuple[LedgerLine, ...]: ...

    def watch(self, token: str | None) -> AsyncIterator[Change[Position]]: ...


class Results(Protocol):
    """`reconciliation_results`, and what asks for them in `reconciliation_asks`."""

    async def add(self, result: ReconciliationResult) -> bool: ...

    async def latest(self, account_id: str) -> ReconciliationResult | None: ...

    async def ask(self, account_id: str, now: datetime) -> None:
        """Ask for a comparison that is made after this."""
        ...

    async def asked(self, account_id: str) -> datetime | None:
        """When one was asked for last."""
        ...

    async def page(self, accounts: Sequence[str], limit: int, offset: int) -> Page[ReconciliationResult]: ...
