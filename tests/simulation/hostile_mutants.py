"""Rules that only a hostile world needs: lying answers, a channel that stutters, reorgs, a signer that is away, clocks that are off."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from services.common.domain import lifecycle, transitions
from services.common.domain.copy import CopyRef
from services.common.domain.intent import Intent
from services.common.domain.trade import LeaderTrade
from services.common.polymarket import classify
from services.common.polymarket.classify import Refusal
from services.common.polymarket.parse.clob import ClobTrade, PostAnswer
from services.common.polymarket.user_feed import UserFeed
from services.common.ports.signer import SignerStanding
from services.common.ports.venue import Answer
from services.common.store.memory.copies import MemoryCopies
from services.engine.lookout import Lookout
from services.engine.standing import Standing
from services.monitor.reorgs import Reorgs
from tests.simulation.weather import Weather

Patch = pytest.MonkeyPatch


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
