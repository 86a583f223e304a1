"""Exits with one rule taken away; each has to break an invariant on some seed."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from services.common.domain.close_request import CloseRequest
from services.common.domain.copy import Copy
from services.common.domain.exit import Step
from services.common.store.memory.exits import MemoryExits
from services.common.store.memory.requests import MemoryCloseRequests
from services.engine import exits, own_steps
from services.engine.closing import Closing
from services.engine.leader_steps import LeaderSteps
from services.monitor import detect

Patch = pytest.MonkeyPatch


def a_request_is_not_kept(patch: Patch) -> None:
    numbers = count()

    async def opened(self: MemoryCloseRequests, request: CloseRequest) -> CloseRequest:
        number = next(numbers)
        asks = tuple(replace(ask, step=replace(ask.step, key=f"{ask.step.key}|{number}")) for ask in request.asks)
        return replace(request, key=f"{request.key}|{number}", asks=asks)

    patch.setattr(MemoryCloseRequests, "open", opened)


def a_request_dies_with_its_maker(patch: Patch) -> None:
    async def carry_on(self: Closing, account_id: str) -> bool:
        return False

    patch.setattr(Closing, "carry_on", carry_on)


def what_is_given_away_is_not_seen(patch: Patch) -> None:
    patch.setattr(detect, "movements", lambda *_: ())


def every_order_of_a_transaction_is_a_step(patch: Patch) -> None:
    of = LeaderSteps.of

    async def mutated(self: LeaderSteps, debt: Copy) -> Step | None:
        step = await of(self, debt)
        return None if step is None else replace(step, decrease_micros=debt.trade.shares_micros)

    patch.setattr(LeaderSteps, "of", mutated)


def what_came_earlier_in_the_block_is_forgotten(patch: Patch) -> None:
    async def before(self: LeaderSteps, leader: str, token_id: str, receipt: Any) -> int:
        return await self._at_the_end_of(receipt.block_number - 1, leader, token_id)

    patch.setattr(LeaderSteps, "_before", before)


def keeping_is_not_noted(patch: Patch) -> None:
    async def keep(self: MemoryExits, exit_id: str, *rest: Any) -> bool:
        await self._db.turn()
        return False

    patch.setattr(MemoryExits, "keep", keep)


def an_exit_ends_while_its_sale_settles(patch: Patch) -> None:
    due = exits.due

    def mutated(exit_: Any, entries: Any, attempts: Any, *rest: Any) -> Any:
        settled = [
            a if a.state is not exits.CopyState.EXECUTED else replace(a, state=exits.CopyState.RECONCILED)
            for a in attempts
        ]
        return due(exit_, entries, settled, *rest)

    patch.setattr(exits, "due", mutated)


def nobody_is_told_of_an_exit_that_is_stuck(patch: Patch) -> None:
    async def escalate(self: MemoryExits, exit_id: str) -> bool:
        return False

    patch.setattr(MemoryExits, "escalate", escalate)


def what_is_old_is_held_on(patch: Patch) -> None:
    patch.setattr(own_steps, "_is_old", lambda *_: False)


def a_deleted_follow_sells_nothing(patch: Patch) -> None:
    class Never:
        CLOSE = "never"

    patch.setattr(own_steps, "Leaving", Never)


MUTANTS = {
    one.__name__: one
    for one in (
        a_request_is_not_kept,
        a_request_dies_with_its_maker,
        what_is_given_away_is_not_seen,
        every_order_of_a_transaction_is_a_step,
        what_came_earlier_in_the_block_is_forgotten,
        keeping_is_not_noted,
        an_exit_ends_while_its_sale_settles,
        nobody_is_told_of_an_exit_that_is_stuck,
        what_is_old_is_held_on,
        a_deleted_follow_sells_nothing,
    )
}
