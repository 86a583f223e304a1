"""`/admin`: what a tester may do to the venue that no trader can."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address
from starlette.requests import Request
from starlette.routing import Route

from services.venue.background import Background
from services.venue.bank import Bank
from services.venue.body import address_of, asked, flag, number
from services.venue.clob.answers import Told, endpoint
from services.venue.clob.intake import Intake
from services.venue.digits import whole
from services.venue.events import Event, MinedEvent
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import Order, Trade
from services.venue.refusals import TAKER_DECIMALS, Refusal


class Admin:
    """Health, the journal, and money for a wallet."""

    def __init__(
        self, exchange: Exchange, bank: Bank, journal: Journal, intake: Intake, background: Background
    ) -> None:
        self._exchange = exchange
        self._bank = bank
        self._journal = journal
        self._intake = intake
        self._background = background
        self._mined = 0
        exchange.subscribe(self._hear)

    def routes(self) -> list[Route]:
        return [
            Route("/admin/health", endpoint(self.health)),
            Route("/admin/journal", endpoint(self.journal)),
            Route("/admin/markets", endpoint(self.markets)),
            Route("/admin/tick", endpoint(self.change_tick), methods=["POST"]),
            Route("/admin/orders", endpoint(self.orders)),
            Route("/admin/fund", endpoint(self.fund), methods=["POST"]),
        ]

    async def health(self, _: Request) -> Any:
        """`mined` counts the trades that reached the chain since the start. 500 once something has ended that should run for ever."""
        exchange = self._exchange
        counts = {"markets": len(exchange.markets), "trades": len(exchange.trades), "mined": self._mined}
        if self._background.ended:
            raise Told({"status": "broken", "ended": self._background.ended, **counts}, 500)
        return {"status": "ok", **counts}

    def _hear(self, event: Event) -> None:
        self._mined += isinstance(event, MinedEvent)

    async def journal(self, request: Request) -> Any:
        after = whole(request.query_params.get("after", "0"))
        if after is None:
            raise Refusal("after: expected a sequence number")
        return {"lines": self._journal.after(after)}

    async def markets(self, _: Request) -> Any:
        return {
            "markets": [
                {"condition_id": m.condition_id, "slug": m.slug, "tokens": list(m.tokens), "tick_micros": m.tick_micros}
                for m in self._exchange.markets.values()
            ]
        }

    async def change_tick(self, request: Request) -> Any:
        body = await asked(request, "condition_id", "tick_micros")
        market = self._exchange.markets.get(str(body.get("condition_id")))
        if market is None:
            raise Refusal("condition_id: expected a market of this venue")
        tick_micros = body.get("tick_micros")
        if not isinstance(tick_micros, int) or tick_micros not in TAKER_DECIMALS:
            raise Refusal(f"tick_micros: expected one of {', '.join(map(str, TAKER_DECIMALS))}")
        self._exchange.change_tick(market, tick_micros)
        return {"condition_id": market.condition_id, "tick_micros": market.tick_micros}

    async def orders(self, request: Request) -> Any:
        """What is known of one order, also when it has ended or was refused; for tests, where a trader's look-up tells less."""
        order_hash = request.query_params.get("hash", "").lower()
        order = self._exchange.orders.get(order_hash)
        return {
            "hash": order_hash,
            "attempts": self._intake.attempts(order_hash),
            "order": _order(order) if order else None,
            "trades": [_trade(one) for one in map(self._exchange.trades.get, order.trade_ids if order else ()) if one],
        }

    async def fund(self, request: Request) -> Any:
        body = await asked(request, "address", "usdc_micros", "approve")
        wallet = to_checksum_address(address_of(body, "address"))
        amount, approve = number(body, "usdc_micros", least=1), flag(body, "approve", default=True)
        await self._bank.fund(wallet, amount, approve=approve)
        await self._exchange.wallets.read(wallet)
        self._journal.note("funded", wallet=wallet, usdc_micros=amount)
        return {"address": wallet, "balance_micros": self._exchange.wallets.get(wallet).cash_micros}


def _order(order: Order) -> dict[str, Any]:
    return {
        "wallet": order.posted.wallet,
        "token": order.posted.token_id,
        "side": str(order.posted.side),
        "type": str(order.posted.order_type),
        "status": str(order.status),
        "price_micros": order.price_micros,
        "shares_micros": order.posted.shares_micros,
        "matched_micros": order.matched_micros,
        "spent_micros": order.spent_micros,
    }


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "trade_id": trade.trade_id,
        "status": str(trade.status),
        "tx_hash": trade.tx_hash,
        "reason": trade.failure,
    }
