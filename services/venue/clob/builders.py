"""What builders ask: the trades that carry their code, and the fees they registered (venue.md 3.1, 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import asked, number
from services.venue.clob.answers import endpoint
from services.venue.clob.pages import page
from services.venue.clob.shapes import text
from services.venue.clob.span import read_span
from services.venue.exchange import Exchange
from services.venue.model import Part, Trade
from services.venue.refusals import Refusal

PAGE = 300
CODE = re.compile("0x[0-9a-fA-F]{64}")
MOST_MAKER_BPS, MOST_TAKER_BPS = 50, 100


@dataclass(frozen=True, slots=True)
class Rates:
    """Of the money that changes hands. They are told, and charged by nobody here."""

    maker_bps: int
    taker_bps: int


class Builders:
    """`/builder/trades`, `/fees/builder-fees/{code}`, and `/admin/builders`, which registers a code."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._rates: dict[str, Rates] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/builder/trades", endpoint(self.trades)),
            Route("/fees/builder-fees/{code}", endpoint(self.fees)),
        ]

    def admin_routes(self) -> list[Route]:
        return [Route("/admin/builders", endpoint(self.register), methods=["POST"])]

    async def trades(self, request: Request) -> Any:
        asked = request.query_params
        code, span = _code(asked.get("builder_code", "")), read_span(asked)
        found = [
            (trade, part)
            for trade in self._exchange.trades.of_builder(code[2:], asked.get("market", ""))
            for part in trade.parts
            if part.order.posted.signed.builder.hex() == code[2:]
            and asked.get("id") in (None, "", trade.trade_id)
            and asked.get("asset_id") in (None, "", part.order.posted.token_id)
            and asked.get("maker_address", "").lower() in ("", part.order.posted.wallet)
            and span.holds(trade.matched_at_ms // 1000)
        ]
        return page(found[::-1], asked.get("next_cursor"), PAGE, write=lambda one: _row(*one))

    async def fees(self, request: Request) -> Any:
        rates = self._rates.get(_code(request.path_params["code"]))
        if rates is None:
            raise Refusal("builder fee rates not found", 404)
        return {"builder_maker_fee_rate_bps": rates.maker_bps, "builder_taker_fee_rate_bps": rates.taker_bps}

    async def register(self, request: Request) -> Any:
        body = await asked(request, "code", "maker_bps", "taker_bps")
        code = _code(str(body.get("code")))
        maker = number(body, "maker_bps", most=MOST_MAKER_BPS)
        self._rates[code] = Rates(maker, number(body, "taker_bps", most=MOST_TAKER_BPS))
        return {"code": code}


def _code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise Refusal("Invalid builder code")
    return text.lower()


def _row(trade: Trade, part: Part) -> dict[str, Any]:
    posted, market = part.order.posted, trade.market
    return {
        "id": trade.trade_id,
        "tradeType": str(part.role),
        "takerOrderHash": trade.taker.order.order_hash,
        "builder": "",
        "builderCode": "0x" + posted.signed.builder.hex(),
        "market": market.condition_id,
        "assetId": posted.token_id,
        "side": str(posted.side),
        "size": text(part.shares_micros),
        "sizeUsdc": text(part.usdc_micros),
        "price": text(part.price_micros),
        "status": str(trade.status),
        "outcome": market.outcome(posted.token_id),
        "outcomeIndex": market.tokens.index(posted.token_id),
        "owner": posted.owner,
        "maker": posted.signed.maker,
        "transactionHash": trade.tx_hash,
        "matchTime": str(trade.matched_at_ms // 1000),
        "bucketIndex": trade.bucket_index,
        "fee": text(part.fee_micros),
        "feeUsdc": text(part.fee_micros),
        "builderFee": "0",
        "err_msg": trade.failure or None,
        "createdAt": str(trade.matched_at_ms // 1000),
        "updatedAt": str(trade.updated_at_ms // 1000),
    }
