"""What a run has left in the stores, read whole."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, Lot, Place, owed_of
from services.common.domain.fill import Fill, Position, ReconciliationResult
from services.common.domain.follow import Follow
from services.common.domain.intent import Intent
from services.common.domain.lifecycle import TERMINAL, CopyState
from services.common.ports.stores import Stores
from services.common.store.client import MongoStores

PAGE = 500
MATCHED = frozenset({CopyState.EXECUTED, CopyState.RECONCILED})


@dataclass(frozen=True, slots=True)
class Books:
    """What our stores hold: `results` has the latest comparison of each account, `exits` those that are open."""

    copies: tuple[Copy, ...]
    fills: tuple[Fill, ...]
    positions: tuple[Position, ...]
    results: tuple[ReconciliationResult, ...]
    accounts: tuple[str, ...]
    follows: tuple[Follow, ...]
    exits: tuple[Exit, ...] = ()

    @property
    def trades(self) -> tuple[Copy, ...]:
        """The copies that stand for leader trades: one for each account that follows. What leaders gave away without a sale is none."""
        return tuple(copy for copy in self.copies if copy.kind is not CopyKind.EXIT and copy.trade.is_fill)

    @property
    def intents(self) -> Iterable[tuple[Copy, Intent]]:
        """Every order that was ever journaled, with its copy."""
        for copy in self.copies:
            for intent in copy.intents:
                yield copy, intent

    @property
    def owing(self) -> tuple[Exit, ...]:
        """Open exits that have more to sell, though no attempt may be open; what is less than any order is nothing."""
        return tuple(exit_ for exit_ in self.exits if self._owed_micros(exit_) >= LOT_MICROS)

    def _owed_micros(self, exit_: Exit) -> int:
        same = (exit_.follow_id, exit_.token_id)
        mine = [one for one in self.copies if (one.follow_id, one.trade.token_id) == same and one.state in MATCHED]
        lots = [
            Lot(one.copy_id, Place(one.trade.block_number, one.trade.log_index), one.filled_micros)
            for one in mine
            if one.kind is CopyKind.ENTRY
        ]
        sold = sum(one.filled_micros for one in mine if one.kind is CopyKind.EXIT)
        return owed_of(exit_, lots) - sold + (exit_.kept.sold_micros if exit_.kept else 0)

    @property
    def settled(self) -> bool:
        """Nothing is under way any more: every copy has ended, every debt is met."""
        return not self.owing and all(copy.state in TERMINAL for copy in self.copies)


@asynccontextmanager
async def opened(mongodb_uri: str, database: str = "polycopy") -> AsyncGenerator[MongoStores]:
    """The stores of a mesh, for reading."""
    stores = MongoStores(mongodb_uri, database, name="polycopy-cli")
    try:
        yield stores
    finally:
        await stores.close()


async def read(stores: Stores) -> Books:
    """Everything of every account."""
    accounts = [account.account_id for account in await stores.accounts.all()]
    latest = [await stores.results.latest(account) for account in accounts]
    return Books(
        copies=await _copies(stores, accounts),
        fills=await stores.positions.fills(accounts),
        positions=await stores.positions.of(accounts),
        results=tuple(result for result in latest if isinstance(result, ReconciliationResult)),
        accounts=tuple(accounts),
        follows=await stores.follows.all(),
        exits=tuple([exit_ for account in accounts for exit_ in await stores.exits.open_ones(account)]),
    )


async def _copies(stores: Stores, accounts: list[str]) -> tuple[Copy, ...]:
    found: dict[str, Copy] = {}
    offset = 0
    while True:
        page = await stores.copies.page(accounts, PAGE, offset)
        found |= {copy.copy_id: copy for copy in page.items}
        if len(page.items) < PAGE:
            return tuple(found.values())
        # New copies come first and push the others back: pages overlap rather than miss one.
        offset += PAGE
