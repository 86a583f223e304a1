"""Rules that only a hostile world needs: lying answers, a channel that stutters, reorgs, a signer that is away, clocks that are off."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.common.domain import lifecycle, transitions
from services.common.domain.copy import Copy, CopyRef
from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Intent
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div
from services.common.domain.trade import LeaderTrade
from services.common.polymarket import classify
from services.common.polymarket.classify import Refusal
from services.common.polymarket.parse.clob import ClobTrade, PostAnswer
from services.common.polymarket.user_feed import UserFeed
from services.common.ports.chain import FillLog, OrderFilled
from services.common.ports.clock import Clock
from services.common.ports.signer import SignerStanding
from services.common.ports.venue import Answer, VenueTrade
from services.common.store.memory.copies import MemoryCopies
from services.engine.lookout import Lookout
from services.engine.standing import Standing
from services.monitor import removals
from services.monitor.removals import Removals
from services.monitor.reorgs import Reorgs
from services.reconciler import settle
from services.reconciler.evidence import Pending, Settled, weigh
from services.reconciler.settle import Settler
from tests.simulation.weather import Weather

Patch = pytest.MonkeyPatch
NEVER = 10**18
"""A block that is not reached."""


def writes_are_unconditional(patch: Patch) -> None:
    """Whoever writes last is believed, whatever has become of the copy since."""

    async def write(self: MemoryCopies, ref: CopyRef, origin: object, change: object) -> bool:
        await self._db.turn()
        copy = self._db.copies.get(ref.copy_id)
        after = change(copy) if copy is not None else None  # type: ignore[operator]
        if after is not None:
            self._db.put(replace(after, fence=ref.fence))
        return after is not None

    patch.setattr(MemoryCopies, "_write", write)
    patch.setattr(transitions, "check", lambda *_: None)
    patch.setattr(lifecycle, "check", lambda *_: None)


def a_text_that_nobody_knows_is_a_rejection(patch: Patch) -> None:
    patch.setattr(classify, "REFUSALS", (Refusal(""),))


def an_answer_is_believed_whatever_order_it_names(patch: Patch) -> None:
    of_answer = classify._of_answer

    def mutated(answer: PostAnswer, intent: Intent) -> Answer:
        return of_answer(replace(answer, order_id=intent.order_hash), intent)

    patch.setattr(classify, "_of_answer", mutated)


def a_trade_that_is_told_twice_counts_twice(patch: Patch) -> None:
    keep = UserFeed._keep

    def mutated(self: UserFeed, trade: ClobTrade) -> None:
        heard = sum(map(len, self._heard.values()))
        keep(self, replace(trade, trade_id=f"{trade.trade_id}#{heard}"))

    patch.setattr(UserFeed, "_keep", mutated)


def a_trade_that_has_moved_is_another(patch: Patch) -> None:
    async def settled(self: Reorgs, trades: Sequence[LeaderTrade]) -> list[LeaderTrade]:
        return list(trades)

    patch.setattr(Reorgs, "settled", settled)


def what_was_seen_once_stands_for_ever(patch: Patch) -> None:
    async def has_lost_one(self: Standing, ground: object) -> bool:
        return False

    patch.setattr(Standing, "has_lost_one", has_lost_one)


def what_was_removed_is_not_voided(patch: Patch) -> None:
    async def check(self: Removals, first: int, last: int, mined: Collection[str]) -> tuple[str, ...]:
        return ()

    patch.setattr(Removals, "check", check)


def what_is_missing_for_a_moment_is_voided(patch: Patch) -> None:
    patch.setattr(removals, "GONE_FOR", timedelta(0))


class _Wall:
    """A clock that calls the time of day monotonic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.now().timestamp()


def what_is_missing_is_timed_by_a_clock_that_may_be_set(patch: Patch) -> None:
    made = Removals.__init__

    def mutated(self: Removals, chain: Any, stores: Any, clock: Clock, reorgs: Reorgs) -> None:
        made(self, chain, stores, _Wall(clock), reorgs)  # type: ignore[arg-type]

    patch.setattr(Removals, "__init__", mutated)


def what_has_moved_is_voided(patch: Patch) -> None:
    async def has_moved(self: Reorgs, trade: LeaderTrade) -> bool:
        return False

    patch.setattr(Reorgs, "has_moved", has_moved)


def what_is_not_final_is_booked(patch: Patch) -> None:
    patch.setattr(settle, "weigh", lambda copy, trades, logs, _: weigh(copy, trades, logs, NEVER))


def the_exchanges_word_is_booked_without_the_chain(patch: Patch) -> None:
    def believed(copy: Copy, trades: Sequence[VenueTrade], logs: object, finalized: int) -> Pending | Settled:
        blocks = [FillLog(_filled(trade), trade.tx_hash, 0, "", trade.matched_at) for trade in trades if _stands(trade)]
        return weigh(copy, trades, blocks, finalized)

    patch.setattr(settle, "weigh", believed)


def _stands(trade: VenueTrade) -> bool:
    return trade.status is TradeStatus.CONFIRMED


def _filled(trade: VenueTrade) -> OrderFilled:
    usdc = mul_div(trade.shares_micros, trade.price_micros, MICRO)
    amounts = (usdc, trade.shares_micros) if trade.side is Side.BUY else (trade.shares_micros, usdc)
    return OrderFilled(trade.order_hash, "", "", "", trade.side, trade.token_id, *amounts, 0, 0)


def a_fill_that_was_seen_once_stands_for_ever(patch: Patch) -> None:
    logs = Settler._logs

    async def remembered(self: Settler, copy: Copy) -> tuple[FillLog, ...]:
        seen: dict[str, dict[str, FillLog]] = self.__dict__.setdefault("seen", {})
        known = seen.setdefault(copy.copy_id, {})
        known.update({log.tx_hash: log for log in await logs(self, copy)})
        return tuple(known.values())

    patch.setattr(Settler, "_logs", remembered)


def nobody_asks_whether_the_signer_is_there(patch: Patch) -> None:
    patch.setattr(Lookout, "signer", lambda self, around: SignerStanding.READY)


def a_process_goes_by_its_own_clock(patch: Patch) -> None:
    patch.setattr(Lookout, "now", lambda self: self._clock.now())
    patch.setattr("services.engine.gatekeeper._ms", lambda skew: 0)


WEATHER: dict[Callable[[Patch], None], dict[str, float]] = {
    writes_are_unconditional: {"crash": 0.002, "stall": 0.004, "database": 0.01, "network": 0.3},
    a_text_that_nobody_knows_is_a_rejection: {"network": 0.6},
    an_answer_is_believed_whatever_order_it_names: {"network": 0.6},
    a_trade_that_is_told_twice_counts_twice: {"network": 0.6, "has_channel": True, "channel": 1},
    a_trade_that_has_moved_is_another: {"reorgs": 0.5},
    what_was_seen_once_stands_for_ever: {"reorgs": 0.8},
    what_was_removed_is_not_voided: {"reorgs": 0.8, "long_stop": True},
    what_is_missing_for_a_moment_is_voided: {"reorgs": 0.8},
    what_is_missing_is_timed_by_a_clock_that_may_be_set: {"reorgs": 0.8, "long_stop": True, "clocks": 120},
    what_has_moved_is_voided: {"reorgs": 0.8, "long_stop": True},
    what_is_not_final_is_booked: {"undoings": 0.8},
    the_exchanges_word_is_booked_without_the_chain: {"undoings": 0.8},
    a_fill_that_was_seen_once_stands_for_ever: {"undoings": 0.8},
    nobody_asks_whether_the_signer_is_there: {"signer": 0.1},
    a_process_goes_by_its_own_clock: {"network": 0.6, "clocks": 14},
}
"""What each is looked for in: nothing is bad but what it is about."""
MUTANTS = {one.__name__: one for one in WEATHER}


def around(patch: Patch, name: str) -> None:
    """The circumstances that a variant is looked for in, for the protocol itself as well."""
    if (apply := MUTANTS.get(name)) is not None:
        chances = WEATHER[apply]
        patch.setattr(Weather, "drawn", staticmethod(lambda seed, random: Weather(seed, random, **chances)))
