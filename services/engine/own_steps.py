"""When a follow's own rules, or its deletion, ask for an exit. Pure: the same facts give the same step with the same key."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from services.common.domain.copy import Copy
from services.common.domain.exit import Cause, Exit, Place, Step, remaining
from services.common.domain.follow import Follow, FollowState, Leaving
from services.common.domain.money import BPS, MICRO
from services.engine.exits import MATCHED, PENDING, place


def wanted(
    follow: Follow, token_id: str, entries: Sequence[Copy], kept: Exit | None, mark_micros: int | None, now: datetime
) -> Step | None:
    """The step that the follow asks for now; None where it asks for none, or has asked already.

    `entries` are its copies of kind entry in the token, `kept` its exit there. A step sells the whole of the lots that it covers, and is
    one for them: what is bought later has its own. Without a mark there is neither take-profit nor stop-loss.
    """
    mine = [entry for entry in entries if _counts(entry, kept)]
    lots = [entry for entry in mine if entry.state in MATCHED and entry.filled_micros > 0]
    if follow.state is not FollowState.ACTIVE and follow.leaving is Leaving.CLOSE:
        return _covering(
            Cause.UNFOLLOW, follow.follow_id, token_id, [e for e in mine if e in lots or e.state in PENDING]
        )
    cause = _by_price(follow, lots, kept, mark_micros)
    if cause is not None:
        return _covering(cause, follow.follow_id, token_id, lots)
    return _covering(Cause.TIME, follow.follow_id, token_id, [lot for lot in lots if _is_old(follow, lot, now)])


def whole(cause: Cause, name: str, token_id: str, covered: Place, shares_micros: int) -> Step:
    """A step for all that was bought up to this place. `name` says who asks: a follow, or a request of one."""
    key = f"{cause}|{name}|{token_id}|{covered.block}.{covered.order}"
    return Step(key, covered.after, shares_micros, shares_micros, cause)


def _covering(cause: Cause, name: str, token_id: str, entries: Sequence[Copy]) -> Step | None:
    if not entries:
        return None
    shares = sum(entry.filled_micros for entry in entries)
    return whole(cause, name, token_id, last_place(entries), shares)


def last_place(entries: Sequence[Copy]) -> Place:
    """The latest place among these copies."""
    return max(map(place, entries), key=lambda one: (one.block, one.order))


def _counts(entry: Copy, kept: Exit | None) -> bool:
    """Whether it is the follow's still, and no step has asked for all of it."""
    if kept is None:
        return True
    here = place(entry)
    gone = kept.kept is not None and here < kept.kept.place
    return not gone and remaining(here, kept.steps) > 0


def _by_price(follow: Follow, lots: Sequence[Copy], kept: Exit | None, mark_micros: int | None) -> Cause | None:
    policy, cost = follow.policy, _cost_micros(lots, kept)
    if mark_micros is None or cost is None:
        return None
    if policy.stop_loss_bps and mark_micros * BPS <= cost * (BPS - policy.stop_loss_bps):
        return Cause.STOP_LOSS
    if policy.take_profit_bps and mark_micros * BPS >= cost * (BPS + policy.take_profit_bps):
        return Cause.TAKE_PROFIT
    return None


def _cost_micros(lots: Sequence[Copy], kept: Exit | None) -> Fraction | None:
    """What a share of what is left of the lots has cost, fees included; None where that is not known."""
    if not lots or any(lot.paid_micros <= 0 for lot in lots):
        return None
    steps = kept.steps if kept else ()
    parts = [(lot, remaining(place(lot), steps)) for lot in lots]
    shares = sum((lot.filled_micros * left for lot, left in parts), Fraction(0))
    paid = sum(((lot.paid_micros + lot.fee_micros) * left for lot, left in parts), Fraction(0))
    return paid * MICRO / shares


def _is_old(follow: Follow, lot: Copy, now: datetime) -> bool:
    held_since = lot.executed_at or lot.detected_at
    limit = follow.policy.max_holding_ms
    return bool(limit) and now - held_since >= timedelta(milliseconds=limit)
