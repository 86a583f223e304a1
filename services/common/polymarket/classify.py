"""What the answer to an order means (orders.md 5.7). Only what is known to be definitive counts as such; anything else is `unknown`."""

from decimal import Decimal
from http import HTTPStatus

import httpx

from services.common.domain.intent import Intent, Outcome
from services.common.domain.market import Side
from services.common.domain.money import MICRO
from services.common.polymarket.parse.clob import PostAnswer, read_error, read_post_answer
from services.common.polymarket.parse.payload import UnknownPayload, decode
from services.common.ports.venue import Answer

STATUSES = frozenset({"live", "delayed", "matched", "unmatched"})
DUPLICATED = "duplicated"

# Texts of venue.md 3.6 that say: this order was refused, and has done and will do nothing. Compared in lower case, anywhere in the text.
REFUSALS = (
    "invalid order payload",
    "the order owner has to be the owner of the api key",
    "the order signer address has to be the address of the api key",
    "address banned",
    "address in closed only mode",
    "order crosses book",
    "breaks minimum tick size rule",
    "lower than the minimum",
    "crosses the book",
    "not enough balance / allowance",
    "invalid nonce",
    "invalid expiration",
    "invalid signature",
    "order canceled in the ctf exchange contract",
    "order couldn't be fully filled",
    "no orders found to match with fak order",
    "the market is not yet ready to process new orders",
    "no orderbook exists",
    "invalid amount",
    "decimal places. maximum lot size",
    "too many orders in payload",
    "invalid api key",
    "invalid l1 request headers",
    "trading restricted in your region",
    "there are no matching orders",
    "fok orders are filled or killed",
    "the trade contains rounding issues",
    "trading is currently disabled",
    "trading is currently cancel-only",
    "post-only mode",
)

# Nothing left the host: no connection was ever made for this request.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def of_failure(error: Exception) -> Answer:
    """The answer that a failed exchange stands for."""
    outcome = Outcome.NOT_SENT if isinstance(error, _NEVER_LEFT) else Outcome.UNKNOWN
    return Answer(outcome, code=type(error).__name__)


def of_response(status: int, body: bytes, intent: Intent) -> Answer:
    """The answer that an HTTP response stands for. Raises `UnknownPayload` for a 200 whose body is not known: then the outcome is."""
    if status == HTTPStatus.OK:
        return _of_answer(read_post_answer(decode("post_order", body)), intent)
    return _of_text(_error_text(body), status)


def _of_answer(answer: PostAnswer, intent: Intent) -> Answer:
    if answer.error or not answer.success:
        return _of_text(answer.error, HTTPStatus.OK)
    if answer.status not in STATUSES:
        return Answer(Outcome.UNKNOWN, HTTPStatus.OK, code=f"status {answer.status!r}"[:80])
    if answer.order_id != intent.order_hash and (answer.order_id or answer.status != "unmatched"):
        return Answer(Outcome.UNKNOWN, HTTPStatus.OK, code="answer names another order")
    shares, usdc = _amounts(answer, intent)
    return Answer(Outcome.ACKED, HTTPStatus.OK, answer.status, "", shares, usdc, answer.trade_ids)


def _of_text(text: str, status: int) -> Answer:
    lowered = text.lower()
    if DUPLICATED in lowered:
        return Answer(Outcome.DUPLICATED, status, code=text[:200])
    refused = any(refusal in lowered for refusal in REFUSALS)
    return Answer(Outcome.REJECTED if refused else Outcome.UNKNOWN, status, code=text[:200] or f"http {status}")


def _error_text(body: bytes) -> str:
    try:
        return read_error(decode("error", body))
    except UnknownPayload:
        return ""


def _amounts(answer: PostAnswer, intent: Intent) -> tuple[int | None, int | None]:
    # The unit of the two amounts is not established (venue.md 3.5): what the order gives is bounded by what was signed, and tells it.
    making, taking = answer.making, answer.taking
    if making is None or taking is None:
        return None, None
    unit = _unit(making, intent.fields.maker_amount)
    if unit is None:
        return None, None
    given, got = int(making * unit), int(taking * unit)
    return (got, given) if intent.fields.side is Side.BUY else (given, got)


def _unit(making: Decimal, signed: int) -> int | None:
    if making * MICRO <= signed:
        return MICRO
    return 1 if making <= signed and making == making.to_integral_value() else None
