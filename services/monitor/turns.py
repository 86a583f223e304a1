"""Whose turn it is: a leader's burst must not hold up another leader's trade (orders.md 5.3)."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from services.common.domain.copy import Copy, CopyKind

SPACING = timedelta(milliseconds=50)
"""How far a leader's turns lie apart: about what deciding and sending one order takes."""
FURTHEST = timedelta(seconds=30)
"""No turn lies further ahead: by then a trade is too old to be copied."""
REMEMBERED = 50_000

Key = TypeVar("Key")
Leader = tuple[str, str, CopyKind]
Token = tuple[str, str]


class Turns:
    """The turns of each account's leaders. They order claims and delay nothing: what is alone is claimed at once, whenever its turn is."""

    def __init__(self) -> None:
        self._last: dict[Leader, datetime] = {}
        self._latest: OrderedDict[Token, datetime] = OrderedDict()
        self._given: OrderedDict[str, datetime] = OrderedDict()

    def given(self, copies: Iterable[Copy], now: datetime) -> list[Copy]:
        """The copies with their turns; one that comes again keeps its own."""
        return [replace(copy, turn_at=self._turn(copy, now)) for copy in copies]

    def _turn(self, copy: Copy, now: datetime) -> datetime:
        if copy.copy_id not in self._given:
            _remember(self._given, copy.copy_id, self._next(copy, now))
        return self._given[copy.copy_id]

    def _next(self, copy: Copy, now: datetime) -> datetime:
        leader, token = (copy.account_id, copy.trade.leader, copy.kind), (copy.account_id, copy.trade.token_id)
        last = self._last.get(leader)
        own = self._last[leader] = now if last is None else min(max(now, last + SPACING), now + FURTHEST)
        if copy.kind is not CopyKind.ENTRY:
            return own
        # Within a token the order of the chain is kept: an earlier turn would only be waited with.
        turn = max(own, self._latest.get(token, own))
        _remember(self._latest, token, turn)
        return turn


def _remember(kept: OrderedDict[Key, datetime], key: Key, turn: datetime) -> None:
    kept[key] = turn
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
