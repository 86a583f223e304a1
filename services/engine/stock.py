"""Reads what an exit works with: the copies of its follow and token, and what of the token is ours to sell."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import cast

from services.common.domain.account import Account
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, exit_id
from services.common.domain.follow import Follow, FollowState, Leaving
from services.common.domain.market import Side
from services.common.ports.chain import Chain, ChainUnavailable
from services.common.ports.stores import Stores
from services.engine import exits
from services.engine.exits import Stock
from services.engine.grouping import shares


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that says what an exit is to do; `entries` carry the place from which steps count against them.

    `follow` is None where it is not stored, and where no follow owns the tokens.
    """

    exit: Exit
    entries: tuple[Copy, ...]
    attempts: tuple[Copy, ...]
    debts: tuple[Copy, ...]
    stock: Stock
    follow: Follow | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the owner keeps what the follow holds."""
        return self.follow is not None and is_leaving(self.follow, Leaving.KEEP)

    def without(self, copy_id: str) -> "Ground":
        """As it would be without one attempt."""
        return replace(self, attempts=tuple(one for one in self.attempts if one.copy_id != copy_id))


def is_leaving(follow: Follow, how: Leaving) -> bool:
    """Whether the follow was deleted, and is left in this way."""
    return follow.state is not FollowState.ACTIVE and follow.leaving is how


async def read_ground(stores: Stores, chain: Chain, account: Account, exit_: Exit) -> Ground:
    """The ground of one exit; the balance is not known while the chain is away."""
    members, entries, follow, balance = await asyncio.gather(
        stores.copies.of_exit(exit_.exit_id),
        stores.copies.of_token(account.account_id, exit_.token_id),
        stores.follows.get(exit_.follow_id),
        _balance(chain, account, exit_.token_id),
    )
    bought = purchases(entries)
    mine = tuple(copy for copy in bought if copy.follow_id == exit_.follow_id)
    attempts = tuple(copy for copy in members if copy.kind is CopyKind.EXIT)
    held = await holdings(stores, exit_.token_id, [copy for copy in bought if copy.follow_id != exit_.follow_id])
    return Ground(
        exit_,
        mine,
        attempts,
        tuple(copy for copy in members if copy.kind is CopyKind.DEBT),
        exits.stock(
            account,
            exit_.token_id,
            settled_micros(account, exit_.token_id, balance),
            sum(held.values()),
            exits.holding_micros(mine, attempts, exit_.kept),
        ),
        follow,
    )


def settled_micros(account: Account, token_id: str, balance_micros: int | None) -> int | None:
    """Settled shares by the books, or by the chain where it has less. A matched sale leaves the chain before it leaves the books."""
    if balance_micros is None:
        return None
    holding = account.exposure.held.get(token_id)
    booked = holding.shares_micros if holding else 0
    mine = (intent for intent in account.exposure.open.values() if intent.token_id == token_id and intent.matched)
    leaving = sum(intent.shares_micros for intent in mine if intent.side is Side.SELL)
    # Where what leaves does not explain the difference, nobody knows whether it has left yet.
    return booked if balance_micros + leaving >= booked else balance_micros


def purchases(entries: Iterable[Copy]) -> tuple[Copy, ...]:
    """The entries as their steps count against them: a group's order once for each member, each from where it is counted."""
    return tuple(counted(entry) for entry in shares(entries))


def counted(entry: Copy) -> Copy:
    """The entry from where steps count against it: a BUY that shrank by the steps it was decided under owes nothing for them again."""
    known = _decided_under(entry)
    latest = max(known, default=None)
    if latest is None or latest <= (entry.trade.block_number, entry.trade.log_index):
        return entry
    return replace(entry, trade=replace(entry.trade, block_number=latest[0], log_index=latest[1]))


def _decided_under(entry: Copy) -> list[tuple[int, int]]:
    if entry.intent is None or entry.decision is None:
        return []
    steps = cast("Sequence[Mapping[str, Mapping[str, int]]]", entry.decision.case.get("steps") or ())
    return [(step["place"]["block"], step["place"]["order"]) for step in steps]


async def holdings(stores: Stores, token_id: str, entries: Sequence[Copy]) -> dict[str, int]:
    """What each follow among the owners of these purchases holds of the token, in micro-shares."""
    ordered = sorted(entries, key=lambda copy: copy.follow_id)
    held: dict[str, int] = {}
    for follow, group in groupby(ordered, key=lambda copy: copy.follow_id):
        name = exit_id(follow, token_id)
        known, attempts = await asyncio.gather(stores.exits.get(name), stores.copies.of_exit(name))
        held[follow] = exits.holding_micros(tuple(group), attempts, known.kept if known else None)
    return held


async def _balance(chain: Chain, account: Account, token_id: str) -> int | None:
    try:
        return await chain.token_balance(account.wallet, token_id)
    except ChainUnavailable:
        return None
