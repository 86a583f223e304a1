"""One of our wallets: its line, its limits, and what it has at risk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.common.domain.market import Side
from services.common.domain.trail import TrailEntry


class AccountState(StrEnum):
    """`reducing` lets only exits pass; `halted` lets nothing pass."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class PauseScope(StrEnum):
    """What a pause stops."""

    ALL = "all"
    LEADER = "leader"
    MARKET = "market"


@dataclass(frozen=True, slots=True)
class Pause:
    """New work of one scope waits; `subject` is the leader's address or the condition id, empty for all."""

    scope: PauseScope
    subject: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do (guards.md; the defaults are its table). "Unlimited" cannot be said."""

    max_trade_age_ms: int = 30_000
    max_clock_ahead_ms: int = 2_000
    min_time_to_end_ms: int = 600_000
    max_spread_ticks: int = 10
    min_price_micros: int = 20_000
    max_price_micros: int = 980_000
    max_mid_jump_bps: int = 2_000
    max_market_micros: int = 1_000_000_000
    max_collar_bps: int = 500
    min_collar_ticks: int = 3
    max_order_micros: int = 250_000_000
    max_order_shares_micros: int = 100_000_000_000
    max_event_micros: int = 2_000_000_000
    max_leader_day_micros: int = 1_000_000_000
    max_exposure_bps: int = 5_000
    max_daily_spend_micros: int = 5_000_000_000
    max_daily_loss_micros: int = 200_000_000
    max_drawdown_bps: int = 1_500
    max_in_flight_market: int = 10
    max_in_flight_account: int = 100
    max_orders_per_second: int = 20
    max_orders_per_minute: int = 600
    max_repetitions: int = 60
    repetition_window_ms: int = 600_000
    max_fee_bps: int = 200
    max_balance_age_ms: int = 5_000
    intent_lifetime_ms: int = 15_000
    send_budget_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Raise:
    """Limits that somebody wants to be looser, by field: they wait until `effective_at`, or until a second admin confirms them."""

    raise_id: str
    limits: Mapping[str, int]
    by: str
    at: datetime
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent that is unsettled or unknown: the cash or shares that it may still take.

    `usdc_micros` is the cost of a BUY or the least proceeds of a SELL; `fee_micros` its highest fee. Once the match is known the
    figures are the matched ones and `matched` is set; the entry leaves when the reconciler has settled it.
    """

    copy_id: str
    condition_id: str
    event_id: str
    token_id: str
    leader: str
    side: Side
    shares_micros: int
    usdc_micros: int
    fee_micros: int
    price_micros: int
    at: datetime
    matched: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """Settled shares of one token and what they cost."""

    token_id: str
    condition_id: str
    event_id: str
    shares_micros: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of an account: what was sent to buy, per leader and in all, and what was lost (realised, positive is a loss).

    `opening_micros` is what its holdings had lost on their marks when the day began, a gain below zero; None while nobody knows.
    """

    spent_micros: int = 0
    leaders: Mapping[str, int] = field(default_factory=dict[str, int])
    lost_micros: int = 0
    opening_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an account has at risk. It equals the sum over its copies and positions (orders.md 9, I8).

    `open` by copy id, `held` by token id, `days` by ISO date (UTC). `high_water` is its best equity; `forgets_best` says that it is only
    kept until the next one is noted, be that less.
    """

    open: Mapping[str, OpenIntent] = field(default_factory=dict[str, OpenIntent])
    held: Mapping[str, Holding] = field(default_factory=dict[str, Holding])
    days: Mapping[str, Day] = field(default_factory=dict[str, Day])
    high_water_micros: int = 0
    forgets_best: bool = False

    def day(self, now: datetime) -> Day:
        """The figures of `now`'s UTC day."""
        return self.days.get(now.date().isoformat(), Day())


@dataclass(frozen=True, slots=True)
class Account:
    """One wallet of ours. Every change of exposure, limits or state advances `seq`; a decision commits only on the `seq` it read.

    `attempts` counts the attempts that were ever journaled. `raises` are limits that are not in force yet. `acknowledged` says by token
    since when its entries are counted as repetitions, where somebody has looked at those before. `trail` holds control changes only.
    """

    account_id: str
    wallet: str
    signer: str
    signature_type: int
    owner: str
    state: AccountState = AccountState.ACTIVE
    pauses: tuple[Pause, ...] = ()
    seq: int = 0
    attempts: int = 0
    active_version: str = ""
    limits: Limits = Limits()
    limits_version: int = 1
    raises: tuple[Raise, ...] = ()
    acknowledged: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    exposure: Exposure = Exposure()
    trail: tuple[TrailEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class ExposureChange:
    """How one event moves an account's exposure; applied with `seq + 1` in the write that it belongs to.

    `put` adds or replaces an open intent, `drop` removes one by copy id. `held` adds shares and cost (either may be negative) to a
    holding; one that reaches zero shares is unset. `spent` and `lost` add to the day of `at`; what was not spent after all is negative.
    `opening` is that day's, which is written once: where it is known already nothing of the change is applied.
    """

    at: datetime
    put: OpenIntent | None = None
    drop: str | None = None
    held: Holding | None = None
    spent_micros: int = 0
    spent_on: str = ""
    lost_micros: int = 0
    opening_micros: int | None = None
    high_water_micros: int = 0
