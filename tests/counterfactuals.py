"""How a case is made to show another figure than it does: one way for each figure that a guard may refuse for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.common.domain.account import AccountState
from services.common.domain.follow import FollowState, SizingMode
from services.common.domain.market import Level, Side, Token, TokenProtocol
from services.common.domain.money import MICRO, mul_div_up
from services.engine.case import Case
from services.engine.pricing import drafted
from tests.builders_case import NO, a_case

Apply = Callable[[Case, str], Case]


def micros(figure: str) -> int:
    return int(Decimal(figure) * MICRO)


def ms(figure: str) -> timedelta:
    return timedelta(milliseconds=int(figure))


def trade(case: Case, **changes: Any) -> Case:
    return replace(case, copy=replace(case.copy, trade=replace(case.copy.trade, **changes)))


def policy(case: Case, **changes: Any) -> Case:
    return replace(case, copy=replace(case.copy, policy=replace(case.policy, **changes)))


def market(case: Case, **changes: Any) -> Case:
    return replace(case, market=replace(case.market, **changes))


def book(case: Case, **changes: Any) -> Case:
    return replace(case, book=replace(case.book, **changes))


def draft(case: Case, **changes: Any) -> Case:
    return replace(case, draft=replace(case.draft, **changes))


def exposure(case: Case, **changes: Any) -> Case:
    return replace(case, account=replace(case.account, exposure=replace(case.account.exposure, **changes)))


def cheaper(name: str, guard: Callable[[Case], Any]) -> Apply:
    """The order costs so much less that the sum it is part of is as wanted."""

    def apply(case: Case, figure: str) -> Case:
        excess = micros(guard(case).observed[name]) - micros(figure)
        return draft(case, usdc_micros=case.draft.usdc_micros - excess)

    return apply


def valued(case: Case, **changes: int) -> Case:
    changed = draft(case, **changes)
    return draft(changed, usdc_micros=changed.draft.shares_micros * changed.draft.limit_micros // MICRO)


def of_size(case: Case, figure: str) -> Case:
    """The policy computes a size, and that of the order follows."""
    spend = mul_div_up(micros(figure), case.draft.limit_micros, MICRO)
    return drafted(policy(replace(case, steps=()), mode=SizingMode.FIXED, fixed_micros=spend))


def spread(case: Case, figure: str) -> Case:
    best, *rest = case.book.asks
    return book(case, asks=(replace(best, price_micros=case.book.bids[0].price_micros + micros(figure)), *rest))


def deep(case: Case, figure: str) -> Case:
    best, *rest = case.book.facing(case.side)
    enough = replace(best, size_micros=mul_div_up(micros(figure), MICRO, best.price_micros))
    return book(case, **{"asks" if case.side is Side.BUY else "bids": (enough, *rest)})


def lost_less(case: Case, figure: str, guard: Callable[[Case], Any]) -> Case:
    excess = micros(guard(case).observed["loss_usdc"]) - micros(figure)
    (date, day), *_ = case.account.exposure.days.items()
    return exposure(case, days={date: replace(day, lost_micros=day.lost_micros - excess)})


def fewer(case: Case, figure: str) -> Case:
    kept = list(case.account.exposure.open.items())[: int(figure) - 1]
    return exposure(case, open=dict(kept))


def richer(case: Case, figure: str) -> Case:
    more = micros(figure) - case.equity_micros
    return replace(case, funds=replace(case.funds, balance_micros=case.funds.balance_micros + more))


def known(case: Case, token: str) -> Case:
    return market(case, tokens=(Token(case.trade.token_id, "Yes"), Token(NO, "No")))


def appliers(guards: dict[str, Callable[[Case], Any]]) -> dict[tuple[str, str], Apply]:
    """By guard and figure."""
    return {
        ("trade_time", "traded_at"): lambda c, v: trade(c, traded_at=datetime.fromisoformat(v)),
        ("trade_time", "age_ms"): lambda c, v: trade(c, traded_at=c.now - ms(v)),
        ("idempotency", "intent"): lambda c, v: replace(c, copy=replace(c.copy, intent=None)),
        ("parties", "follow"): lambda c, v: replace(c, follow=replace(c.follow, state=FollowState(v))),
        ("parties", "account"): lambda c, v: replace(c, account=replace(c.account, state=AccountState(v))),
        ("parties", "market"): lambda c, v: policy(c, denied_markets=()),
        ("parties", "denied_tags"): lambda c, v: policy(c, denied_tags=()),
        ("parties", "leader"): lambda c, v: replace(c, own_wallets=frozenset()),
        ("parties", "own_counterparties"): lambda c, v: trade(c, counterparties=()),
        ("viability", "token"): known,
        ("viability", "protocol"): lambda c, v: market(c, protocol=TokenProtocol(v.split(" or ")[0])),
        ("viability", "state"): lambda c, v: market(c, active=True, closed=False, archived=False),
        ("viability", "resolution"): lambda c, v: market(c, uma_status=""),
        ("viability", "accepting"): lambda c, v: market(c, accepting_orders=True, has_book=True),
        ("viability", "left_ms"): lambda c, v: market(c, ends_at=c.now + ms(v)),
        ("viability", "spread"): spread,
        ("price_band", "leader"): lambda c, v: draft(
            trade(c, shares_micros=MICRO, usdc_micros=micros(v)), limit_micros=600_000
        ),
        ("price_band", "ours"): lambda c, v: draft(c, limit_micros=micros(v)),
        ("market_data", "live"): lambda c, v: book(c, live=True),
        ("market_data", "bid"): lambda c, v: book(c, bids=(Level(micros(v) - 1, MICRO),)),
        ("market_data", "jump"): lambda c, v: book(c, mid_then_micros=c.book.mid_micros + micros(v)),
        ("edge", "edge"): lambda c, v: draft(
            c, fee_micros=c.draft.fee_micros - micros(v) + micros(guards["edge"](c).observed["edge"])
        ),
        ("position", "market_usdc"): cheaper("market_usdc", guards["position"]),
        ("position", "shares"): lambda c, v: draft(c, shares_micros=micros(v)),
        ("sizing", "shares"): of_size,
        ("sizing", "usdc"): lambda c, v: draft(c, usdc_micros=micros(v)),
        ("venue_validity", "usdc"): lambda c, v: draft(c, usdc_micros=micros(v)),
        ("venue_validity", "shares"): lambda c, v: valued(c, shares_micros=micros(v)),
        ("venue_validity", "limit_price"): lambda c, v: valued(c, limit_micros=micros(v)),
        ("venue_validity", "tick"): lambda c, v: market(c, tick_micros=micros(v.split(", ")[3])),
        ("venue_validity", "order_of"): lambda c, v: draft(c, side=Side(v.split()[0]), token_id=v.split()[1]),
        ("slippage", "limit_price"): lambda c, v: draft(c, limit_micros=micros(v)),
        ("slippage", "depth"): deep,
        ("price_collar", "limit_price"): lambda c, v: draft(c, limit_micros=micros(v)),
        ("order_size", "shares"): lambda c, v: draft(c, shares_micros=micros(v)),
        ("order_size", "usdc"): lambda c, v: draft(c, usdc_micros=micros(v)),
        ("event_exposure", "event_usdc"): cheaper("event_usdc", guards["event_exposure"]),
        ("leader_day", "leader_day_usdc"): cheaper("leader_day_usdc", guards["leader_day"]),
        ("account_exposure", "gross_usdc"): cheaper("gross_usdc", guards["account_exposure"]),
        ("daily_spend", "day_usdc"): cheaper("day_usdc", guards["daily_spend"]),
        ("daily_loss", "loss_usdc"): lambda c, v: lost_less(c, v, guards["daily_loss"]),
        ("drawdown", "equity"): richer,
        ("in_flight", "market_intents"): fewer,
        ("in_flight", "account_intents"): fewer,
        ("message_rate", "orders_per_second"): lambda c, v: replace(c, recent_orders=c.recent_orders[: int(v) - 1]),
        ("message_rate", "orders_per_minute"): lambda c, v: replace(c, recent_orders=c.recent_orders[: int(v) - 1]),
        ("repetition", "entries"): lambda c, v: replace(c, repetitions=int(v) - 1),
        ("credit", "fee"): lambda c, v: draft(c, fee_micros=micros(v)),
        ("credit", "age_ms"): lambda c, v: replace(c, funds=replace(c.funds, read_at=c.now - ms(v))),
        ("credit", "needed"): cheaper("needed", guards["credit"]),
        ("self_trade", "own_orders"): lambda c, v: exposure(
            c, open=dict(list(c.account.exposure.open.items())[: int(v)])
        ),
        ("fee_bound", "fee"): lambda c, v: draft(c, fee_micros=micros(v)),
        ("deadline", "left_ms"): lambda c, v: replace(c, deadline_at=c.now + ms(v)),
    }


def unlikely() -> dict[tuple[str, str], Case]:
    """Cases for reasons that never come alone, or that no drafted order has."""
    off_tick = {"limit_micros": 505_000}
    return {
        ("viability", "unknown_token"): a_case(trade={"token_id": "99"}),
        ("sizing", "above_cap"): a_case(policy={"max_trade_micros": 5 * MICRO}, draft={"usdc_micros": 5 * MICRO + 1}),
        ("sizing", "voided_by_exit"): a_case(policy={"ratio_bps": 100}, steps=_half()),
        ("venue_validity", "unknown_tick"): market(a_case(), tick_micros=3),
        ("venue_validity", "price_out_of_range"): a_case(draft={"limit_micros": 995_000}),
        ("venue_validity", "price_off_tick"): a_case(draft=off_tick),
        ("venue_validity", "size_off_lot"): a_case(draft={"shares_micros": 10_005_000}),
        ("venue_validity", "sum_off_cent"): a_case(draft={"shares_micros": 10_010_000}),
        ("credit", "balance_too_old"): replace(
            a_case(), funds=replace(a_case().funds, read_at=a_case().now + timedelta(milliseconds=2_001))
        ),
    }


def _half() -> tuple[Any, ...]:
    from services.common.domain.exit import Place, Step

    return (Step("s", Place(99, 0), 1, 2),)
