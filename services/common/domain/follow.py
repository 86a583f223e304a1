"""Who follows whom, and under which policy."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from services.common.domain.trail import Trail


class SizingMode(StrEnum):
    """How a copy's size follows from the leader's (guards.md, Sizing)."""

    FIXED = "fixed"
    RATIO = "ratio"
    PROPORTIONAL = "proportional"
    TIERED = "tiered"


class Grouping(StrEnum):
    """Which trades of a leader one order copies: each alone, all fills of one of his orders, or all in one token."""

    NONE = "none"
    ORDER = "order"
    TOKEN = "token"


class FollowState(StrEnum):
    """`closing` takes no entries but still follows exits; `closed` is over."""

    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class Leaving(StrEnum):
    """What becomes of what a follow holds when it is deleted: it is sold, or kept by the account. Until then exits follow the leader."""

    STAY = ""
    CLOSE = "close"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Tier:
    """From `from_micros` of the leader's notional on, copy `ratio_bps` of it."""

    from_micros: int
    ratio_bps: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How one account copies one leader. Amounts in micro-USDC; caps only ever reduce a copy.

    `leader_bankroll_micros` is the portfolio that `proportional` divides by, `bankroll_micros` the one that this follow may use.
    `denied_markets` holds condition ids, `denied_tags` slugs of subjects. `group_window_ms` is how long trades that are copied together
    are waited for. Own exits are off at 0: `take_profit_bps` above and `stop_loss_bps` below what the shares cost,
    fees included, sell them at the market; so does `max_holding_ms` after they were bought.
    """

    mode: SizingMode = SizingMode.RATIO
    ratio_bps: int = 1_000
    fixed_micros: int = 0
    bankroll_micros: int = 0
    leader_bankroll_micros: int = 0
    tiers: tuple[Tier, ...] = ()
    max_trade_micros: int = 250_000_000
    max_market_micros: int = 1_000_000_000
    max_day_micros: int = 1_000_000_000
    raise_to_minimum: bool = False
    slippage_bps: int = 300
    exit_slippage_bps: int = 500
    exit_floor_bps: int = 5_000
    denied_markets: tuple[str, ...] = ()
    denied_tags: tuple[str, ...] = ()
    grouping: Grouping = Grouping.NONE
    group_window_ms: int = 5_000
    take_profit_bps: int = 0
    stop_loss_bps: int = 0
    max_holding_ms: int = 0

    @property
    def has_own_exits(self) -> bool:
        return bool(self.take_profit_bps or self.stop_loss_bps or self.max_holding_ms)

    def digest(self) -> str:
        """A hash of the whole policy: a copy carries the policy it was made under."""
        return _digest(self)


@lru_cache(maxsize=1_024)
def _digest(policy: Policy) -> str:
    # Every write of a copy asks for it, and there are few policies.
    return hashlib.sha256(json.dumps(asdict(policy), sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Follow:
    """One account following one leader, from `created_at` on; `leaving` once it is deleted."""

    follow_id: str
    account_id: str
    leader: str
    policy: Policy
    version: int
    state: FollowState
    created_at: datetime
    leaving: Leaving = Leaving.STAY
    trail: Trail = ()


def left(follow: Follow, leaving: Leaving) -> Follow:
    """The follow deleted: closed to entries at once. One that is over stays so; *keep* can follow *close* while it is not."""
    if follow.state is FollowState.CLOSED:
        return follow
    return replace(follow, state=FollowState.CLOSING, leaving=leaving)


def follow_id(account_id: str, leader: str) -> str:
    """A follow is unique by account and leader."""
    return f"{account_id}:{leader.lower()}"
