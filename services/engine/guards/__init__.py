"""The guards, in the order in which the first refusal names why a copy was skipped (guards.md)."""

from services.engine.guards.answer import Judge
from services.engine.guards.exposure import account_exposure, event_exposure, position
from services.engine.guards.flow import in_flight, message_rate, repetition
from services.engine.guards.identity import idempotency, parties
from services.engine.guards.losses import daily_loss, drawdown
from services.engine.guards.price import edge, price_band, price_collar, slippage
from services.engine.guards.size import fee_bound, order_size, sizing, venue_validity
from services.engine.guards.spending import daily_spend, leader_day
from services.engine.guards.timing import deadline, trade_time
from services.engine.guards.viability import market_data, viability
from services.engine.guards.wallet import credit, self_trade

GUARDS: tuple[Judge, ...] = (
    trade_time,
    idempotency,
    parties,
    viability,
    price_band,
    market_data,
    edge,
    position,
    sizing,
    venue_validity,
    slippage,
    price_collar,
    order_size,
    event_exposure,
    leader_day,
    account_exposure,
    daily_spend,
    daily_loss,
    drawdown,
    in_flight,
    message_rate,
    repetition,
    credit,
    self_trade,
    fee_bound,
    deadline,
)
