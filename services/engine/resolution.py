"""What one event can cost at the worst of its ends, whatever of our orders fills: never less than it will (guards.md, event_exposure)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.common.domain.account import Holding
from services.common.domain.market import Market, Side
from services.engine.case import Case, Draft

YES = 0
"""The place of the token that pays when its market of a neg-risk event comes true."""

ELSEWHERE = ""
"""A market of the event that we have no part in."""


@dataclass(frozen=True, slots=True)
class Stake:
    """What one token can cost us, in micro-USDC: where it pays nothing, and where it pays a dollar a share (a gain is below zero)."""

    token_id: str
    condition_id: str
    lost_micros: int
    won_micros: int


def event_micros(case: Case, market: Market, draft: Draft) -> int:
    """The most that the market's event costs at resolution with this order: over all leaders, held and in flight.

    Of the markets of a neg-risk event one at most comes true, so what one loses another may win. All others are independent of each
    other, and so is a token whose place in its market is not known. A market without an event is its own.
    """
    stakes = tuple(_stakes(case, market.event_id or market.condition_id, market, draft))
    places = _places(case, market)
    together = [stake for stake in stakes if stake.token_id in places]
    apart: defaultdict[str, list[Stake]] = defaultdict(list)
    for stake in stakes:
        if stake.token_id not in places:
            apart[stake.condition_id].append(stake)
    return max(_worst_together(together, places), 0) + sum(max(_worst_of_one(alone), 0) for alone in apart.values())


def _places(case: Case, market: Market) -> Mapping[str, int]:
    if not (market.neg_risk and market.event_id):
        return {}
    return {**case.outcomes, **{token.token_id: place for place, token in enumerate(market.tokens)}}


def _stakes(case: Case, event: str, market: Market, draft: Draft) -> Iterator[Stake]:
    for holding in case.account.exposure.held.values():
        if event in (holding.event_id, holding.condition_id):
            yield _held(case, holding)
    for intent in case.in_flight(Side.BUY):
        if event in (intent.event_id, intent.condition_id):
            cost = intent.usdc_micros + intent.fee_micros
            yield _bought(intent.token_id, intent.condition_id, cost, intent.shares_micros)
    yield _bought(draft.token_id, market.condition_id, draft.usdc_micros + draft.fee_micros, draft.shares_micros)


def _held(case: Case, holding: Holding) -> Stake:
    """Settled shares; those that are being sold bring what they pay or what they are sold for, whichever is less."""
    sales = [intent for intent in case.in_flight(Side.SELL) if intent.token_id == holding.token_id]
    leaving = sum(intent.shares_micros for intent in sales)
    proceeds = sum(min(max(intent.usdc_micros - intent.fee_micros, 0), intent.shares_micros) for intent in sales)
    # Where more is being sold than is held, nobody knows which of the sales it is that fills.
    worth = holding.shares_micros - leaving + proceeds if leaving <= holding.shares_micros else 0
    return Stake(holding.token_id, holding.condition_id, holding.cost_micros, holding.cost_micros - worth)


def _bought(token_id: str, condition_id: str, cost_micros: int, shares_micros: int) -> Stake:
    """An order that may fill or not: where its token pays, it may be that it never filled."""
    return Stake(token_id, condition_id, cost_micros, max(cost_micros - shares_micros, 0))


def _worst_of_one(stakes: Sequence[Stake]) -> int:
    """One market's worst: each of the tokens that we know of may be the one that pays, and where that is one, so may the other."""
    tokens = {stake.token_id for stake in stakes}
    ends = tokens if len(tokens) > 1 else tokens | {ELSEWHERE}
    return max(sum(s.won_micros if s.token_id == end else s.lost_micros for s in stakes) for end in ends)


def _worst_together(stakes: Sequence[Stake], places: Mapping[str, int]) -> int:
    """The worst of a neg-risk event: each market that we have a part in may come true, or one that we have none in."""
    ends = {stake.condition_id for stake in stakes} | {ELSEWHERE}
    return max(
        sum(s.won_micros if (s.condition_id == end) is (places[s.token_id] == YES) else s.lost_micros for s in stakes)
        for end in ends
    )
