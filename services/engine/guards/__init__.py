"""The guards, in the order in which the first refusal names why a copy was skipped (guards.md).

They are plain functions; this table says whom each judges. Exits pass what judges entries alone.
"""

from services.engine.guards.answer import Judge, of_entries, of_everything
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
    of_entries(trade_time),
    of_everything(idempotency),
    of_entries(parties),
    of_everything(viability),
    of_entries(price_band),
    of_everything(market_data),
    of_entries(edge),
    of_everything(position),
    of_everything(sizing),
    of_everything(venue_validity),
    of_everything(slippage),
    of_everything(price_collar),
    of_entries(order_size),
    of_entries(event_exposure),
    of_entries(leader_day),
    of_entries(account_exposure),
    of_entries(daily_spend),
    of_entries(daily_loss),
    of_entries(drawdown),
    of_entries(in_flight),
    of_everything(message_rate),
    of_entries(repetition),
    of_everything(credit),
    of_everything(self_trade),
    of_entries(fee_bound),
    of_everything(deadline),
)
