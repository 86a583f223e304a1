"""How much of a leader's trade is copied (guards.md, Sizing). Caps only ever reduce."""

from dataclasses import dataclass

from services.common.domain.amounts import LOT_MICROS, exact_shares_micros, share_step_micros
from services.common.domain.follow import Policy, SizingMode
from services.common.domain.market import Market, Side
from services.common.domain.money import BPS, MICRO, mul_div, mul_div_up
from services.engine.at_risk import leader_day_micros, market_micros, selling_micros
from services.engine.case import Case

LEAST_BUY_MICROS = 1_000_000
"""The venue takes no marketable BUY below one dollar."""


def policy_micros(policy: Policy, notional_micros: int) -> int | None:
    """What the policy copies of a leader's notional, before any cap; None where the policy lacks a figure for it."""
    match policy.mode:
        case SizingMode.FIXED:
            return policy.fixed_micros if policy.fixed_micros > 0 else None
        case SizingMode.RATIO:
            return mul_div(notional_micros, policy.ratio_bps, BPS)
        case SizingMode.PROPORTIONAL:
            if policy.bankroll_micros <= 0 or policy.leader_bankroll_micros <= 0:
                return None
            return mul_div(notional_micros, policy.bankroll_micros, policy.leader_bankroll_micros)
        case SizingMode.TIERED:
            return mul_div(notional_micros, _tier_bps(policy, notional_micros), BPS)


def room_micros(case: Case, market: Market) -> int:
    """The tightest of the policy's caps per trade, market and day, less what is used of it."""
    policy = case.policy
    return min(
        policy.max_trade_micros,
        policy.max_market_micros - market_micros(case, market.condition_id),
        policy.max_day_micros - leader_day_micros(case),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """What a BUY may spend, in micro-USDC, and the room that its caps leave; `raised` where it may grow to the venue's minimum."""

    spend_micros: int
    room_micros: int
    raised: bool

    def shares_at(self, market: Market, price_micros: int) -> int:
        """The shares at this limit price: whole cents for whole hundredths of a share, within every cap; 0 where nothing is."""
        shares = exact_shares_micros(Side.BUY, mul_div(self.spend_micros, MICRO, price_micros), price_micros)
        least = least_entry(market, price_micros)
        if self.raised and mul_div(least, price_micros, MICRO) <= self.room_micros:
            return max(shares, least)
        return shares


def entry(case: Case, market: Market) -> Entry | None:
    """What a BUY is for; None where it cannot be known.

    Steps that an exit took since the leader's trade shrink it as they would have shrunk the lot, and then it is raised no more.
    """
    wanted = policy_micros(case.policy, case.trade.usdc_micros)
    if wanted is None or case.steps is None:
        return None
    room = max(room_micros(case, market), 0)
    spend = int(max(min(wanted, room), 0) * case.left)
    return Entry(spend, room, case.policy.raise_to_minimum and spend > 0 and case.left == 1)


def least_entry(market: Market, price_micros: int) -> int:
    """The smallest BUY that the venue takes at this price, in micro-shares."""
    needed = max(market.min_size_micros, mul_div_up(LEAST_BUY_MICROS, MICRO, price_micros))
    step = share_step_micros(Side.BUY, price_micros)
    return mul_div_up(needed, 1, step) * step


def exit_shares(case: Case, market: Market) -> int:
    """The shares that an exit attempt is for: what is owed, or what of it is settled and free where that is an order at all."""
    owed = case.copy.owed_micros // LOT_MICROS * LOT_MICROS
    free = free_micros(case)
    if free is None:
        return owed
    now = min(owed, free) // LOT_MICROS * LOT_MICROS
    return now if now >= market.min_size_micros else owed


def free_micros(case: Case) -> int | None:
    """Settled shares that are not being sold and that no other follow holds; None where it is not known."""
    if case.settled_micros is None or case.others_micros is None:
        return None
    return max(case.settled_micros - selling_micros(case, case.trade.token_id) - case.others_micros, 0)


def _tier_bps(policy: Policy, notional_micros: int) -> int:
    """The ratio of the highest tier that the leader's notional reaches; none below the first."""
    reached = [tier for tier in policy.tiers if tier.from_micros <= notional_micros]
    return max(reached, key=lambda tier: tier.from_micros).ratio_bps if reached else 0
