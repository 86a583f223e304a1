"""What the answer to an order means (orders.md 5.7). Only what is known to be definitive counts as such; anything else is `unknown`."""

from decimal import Decimal
from http import HTTPStatus
from typing import NamedTuple

import httpx

from services.common.domain.intent import Intent, Outcome
from services.common.domain.market import Side
from services.common.domain.money import MICRO
from services.common.polymarket.parse.clob import PostAnswer, read_error, read_post_answer
from services.common.polymarket.parse.payload import UnknownPayload, decode
from services.common.ports.venue import Answer

STATUSES = frozenset({"live", "delayed", "matched", "unmatched"})
DUPLICATED = "duplicated"
# A plain number: what is stored and hashed of an answer is no enum of a library.
_OK = int(HTTPStatus.OK)


class Refusal(NamedTuple):
    """A text that says: this order was refused, and has done and will do nothing. In lower case, anywhere in the answer's text.

    `passes`: the reason lies in the book, the balance or the venue's mode of that moment, not in what we asked for; another order for
    the same trade may fare better.

    `is_mode`: the venue takes no orders at all, and says so with 503 before it looks at one. With any other status of 500 and above no
    text proves anything: it comes from something that broke, perhaps after the order was handed on.
    """

    text: str
    passes: bool = False
    is_mode: bool = False

    def holds(self, status: int) -> bool:
        """Whether the text means what it says in an answer of this status."""
        return status < HTTPStatus.INTERNAL_SERVER_ERROR or (self.is_mode and status == HTTPStatus.SERVICE_UNAVAILABLE)


# Texts of venue.md 3.6.
REFUSALS = (
    Refusal("invalid order payload"),
    Refusal("the order owner has to be the owner of the api key"),
    Refusal("the order signer address has to be the address of the api key"),
    Refusal("address banned"),
    Refusal("address in closed only mode"),
    Refusal("order crosses book"),
    Refusal("breaks minimum tick size rule", passes=True),
    Refusal("lower than the minimum"),
    Refusal("crosses the book"),
    Refusal("not enough balance / allowance", passes=True),
    Refusal("invalid nonce"),
    Refusal("invalid expiration"),
    Refusal("invalid signature"),
    Refusal("order_version_mismatch"),
    Refusal("order canceled in the ctf exchange contract"),
    Refusal("order couldn't be fully filled", passes=True),
    Refusal("no orders found to match with fak order", passes=True),
    Refusal("the market is not yet ready to process new orders", passes=True),
    Refusal("no orderbook exists"),
    Refusal("invalid amount"),
    Refusal("decimal places. maximum lot size"),
    Refusal("too many orders in payload"),
    Refusal("invalid api key", passes=True),
    Refusal("invalid l1 request headers"),
    Refusal("trading restricted in your region"),
    Refusal("trading is currently disabled", passes=True, is_mode=True),
    Refusal("trading is currently cancel-only", passes=True, is_mode=True),
    Refusal("post-only mode", passes=True, is_mode=True),
)

# Nothing left the host: no connection was ever made for this request.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def of_failure(error: Exception) -> Answer:
    """The answer that a failed exchange stands for."""
    outcome = Outcome.NOT_SENT if isinstance(error, _NEVER_LEFT) else Outcome.UNKNOWN
    return Answer(outcome, code=type(error).__name__)


def of_response(status: int, body: bytes, intent: Intent) -> Answer:
    """The answer that an HTTP response stands for. Raises `UnknownPayload` for a 200 whose body is not known: then the outcome is."""
    if status == _OK:
        return _of_answer(read_post_answer(decode("post_order", body)), intent)
    return _of_text(_error_text(body), status)


def may_pass(text: str) -> bool:
    """Whether the reason that this text gives for refusing an order may be gone when the next is sent; a text nobody knows gives none."""
    refusal = _refusal(text.lower())
    return refusal is not None and refusal.passes


def _refusal(lowered: str) -> Refusal | None:
    return next((refusal for refusal in REFUSALS if refusal.text in lowered), None)


def _of_answer(answer: PostAnswer, intent: Intent) -> Answer:
    if answer.error or not answer.success:
        return _of_text(answer.error, _OK)
    if answer.status not in STATUSES:
        return Answer(Outcome.UNKNOWN, _OK, code=f"status {answer.status!r}"[:80])
    if answer.order_id != intent.order_hash and (answer.order_id or answer.status != "unmatched"):
        return Answer(Outcome.UNKNOWN, _OK, code="answer names another order")
    shares, usdc = _amounts(answer, intent)
    return Answer(Outcome.ACKED, _OK, answer.status, "", shares, usdc, answer.trade_ids)


def _of_text(text: str, status: int) -> Answer:
    lowered = text.lower()
    if DUPLICATED in lowered and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Answer(Outcome.DUPLICATED, status, code=text[:200])
    refusal = _refusal(lowered)
    refused = refusal is not None and refusal.holds(status)
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
