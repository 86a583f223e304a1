"""What an answer to an order means: a table of the venue's own texts, and everything else is unknown."""

import json

import httpx
import pytest

from services.common.domain.canonical import digest
from services.common.domain.intent import Intent, Outcome
from services.common.domain.market import Side
from services.common.polymarket.classify import REFUSALS, Refusal, of_failure, of_response
from services.common.polymarket.parse.payload import UnknownPayload
from tests.builders import an_intent

REJECTED, UNKNOWN, DUPLICATED = Outcome.REJECTED, Outcome.UNKNOWN, Outcome.DUPLICATED

TEXTS = [
    (400, "Invalid order payload", REJECTED),
    (400, "the order owner has to be the owner of the API KEY", REJECTED),
    (400, "the order signer address has to be the address of the API KEY", REJECTED),
    (400, "'0xabc' address banned", REJECTED),
    (400, "'0xabc' address in closed only mode", REJECTED),
    (400, "invalid post-only order: order crosses book", REJECTED),
    (400, "order 0x1 is invalid. Price (0.503) breaks minimum tick size rule: 0.01", REJECTED),
    (400, "order 0x1 is invalid. Size (1.73) lower than the minimum: 5", REJECTED),
    (400, "order 0x1 is invalid. Duplicated.", DUPLICATED),
    (400, "order 0x1 crosses the book", REJECTED),
    (400, "not enough balance / allowance", REJECTED),
    (400, "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 5", REJECTED),
    (400, "invalid nonce", REJECTED),
    (400, "invalid expiration", REJECTED),
    (400, "invalid signature", REJECTED),
    (400, "order canceled in the CTF exchange contract", REJECTED),
    (400, "order match delayed due to market conditions", UNKNOWN),
    (400, "order couldn't be fully filled. FOK orders are fully filled or killed.", REJECTED),
    (
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        REJECTED,
    ),
    (400, "the market is not yet ready to process new orders", REJECTED),
    (400, "invalid amount for a marketable BUY order ($0.99), min size: $1", REJECTED),
    (
        400,
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4",
        REJECTED,
    ),
    (400, "invalid amounts, maker and taker amount must be higher than 0", REJECTED),
    (400, "Size 0.1 has 27 decimal places. Maximum lot size is 2", REJECTED),
    (400, "Too many orders in payload: 16, max allowed: 15", REJECTED),
    (400, "order_version_mismatch", REJECTED),
    (400, "a text that nobody has seen", UNKNOWN),
    (400, "", UNKNOWN),
    (401, "Unauthorized/Invalid api key", REJECTED),
    (401, "Invalid api key", REJECTED),
    (401, "Invalid API key", REJECTED),
    (401, "Invalid L1 Request headers", REJECTED),
    (401, "a text that nobody has seen", UNKNOWN),
    (403, "Trading restricted in your region", REJECTED),
    (403, "error code: 1020", UNKNOWN),
    (404, "No orderbook exists for the requested token id", REJECTED),
    (404, "market not found", UNKNOWN),
    (425, "engine is restarting", UNKNOWN),
    (425, "", UNKNOWN),
    (429, "Too Many Requests", UNKNOWN),
    (500, "could not insert order", UNKNOWN),
    (500, "order timed out", UNKNOWN),
    (500, "there are no matching orders", UNKNOWN),
    (500, "FOK orders are filled or killed", UNKNOWN),
    (500, "the trade contains rounding issues", UNKNOWN),
    (500, "the price of the taker's order has a discrepancy greater than allowed", UNKNOWN),
    (502, "Bad Gateway", UNKNOWN),
    (503, "Trading is currently disabled. Check polymarket.com for updates", REJECTED),
    (503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", REJECTED),
    (503, "post-only mode: only post-only orders and cancels are allowed", REJECTED),
    (503, "Service Unavailable", UNKNOWN),
]


@pytest.mark.parametrize(
    ("status", "text", "outcome"), TEXTS, ids=[f"{status} {text[:40]}" for status, text, _ in TEXTS]
)
def test_a_text_of_the_venue_means_what_the_table_says(status: int, text: str, outcome: Outcome) -> None:
    answer = of_response(status, json.dumps({"error": text}).encode(), an_intent())

    assert (answer.outcome, answer.http_status) == (outcome, status)
    assert answer.code.startswith(text[:60] or f"http {status}")


@pytest.mark.parametrize(("text", "outcome"), [(text, outcome) for status, text, outcome in TEXTS if status == 400])
def test_a_text_means_the_same_in_an_answer_of_200_without_success(text: str, outcome: Outcome) -> None:
    body = json.dumps({"success": False, "orderID": "", "status": "", "errorMsg": text}).encode()

    assert of_response(200, body, an_intent()).outcome is outcome


@pytest.mark.parametrize("status", [400, 403, 500, 502, 503, 520])
def test_an_answer_that_is_no_json_proves_nothing(status: int) -> None:
    assert of_response(status, b"<html>502 Bad Gateway</html>", an_intent()).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("refused"), Outcome.NOT_SENT),
        (httpx.ConnectTimeout("no answer"), Outcome.NOT_SENT),
        (httpx.PoolTimeout("busy"), Outcome.NOT_SENT),
        (httpx.ReadTimeout("late"), UNKNOWN),
        (httpx.WriteError("cut"), UNKNOWN),
        (httpx.RemoteProtocolError("cut"), UNKNOWN),
        (TimeoutError(), UNKNOWN),
    ],
)
def test_a_failure_counts_as_unsent_only_where_no_connection_was_made(error: Exception, outcome: Outcome) -> None:
    assert of_failure(error).outcome is outcome


@pytest.mark.parametrize("unit", [1, 1_000_000], ids=["micros", "decimals"])
def test_matched_amounts_are_read_in_either_unit(unit: int) -> None:
    intent = an_intent()
    given, got = intent.fields.maker_amount, intent.fields.taker_amount
    body = _acked(
        intent, "matched", makingAmount=str(given / unit if unit > 1 else given), takingAmount=str(got // unit)
    )

    answer = of_response(200, body, intent)

    assert answer.outcome is Outcome.ACKED
    assert intent.fields.side is Side.BUY
    assert (answer.usdc_micros, answer.shares_micros) == (given, got)


def test_amounts_beyond_what_was_signed_are_no_amounts() -> None:
    intent = an_intent()
    body = _acked(intent, "matched", makingAmount=str(intent.fields.maker_amount * 10 + 1), takingAmount="5")

    answer = of_response(200, body, intent)

    assert (answer.shares_micros, answer.usdc_micros) == (None, None)


def test_an_answer_that_names_another_order_proves_nothing() -> None:
    body = json.dumps({"success": True, "orderID": "0x" + "9" * 64, "status": "matched"}).encode()

    assert of_response(200, body, an_intent()).outcome is UNKNOWN


def test_a_success_that_carries_an_error_is_judged_by_its_error() -> None:
    body = json.dumps(
        {"success": True, "orderID": "", "status": "", "errorMsg": "not enough balance / allowance"}
    ).encode()

    assert of_response(200, body, an_intent()).outcome is REJECTED


def test_a_success_that_is_none_and_gives_no_reason_proves_nothing() -> None:
    body = json.dumps({"success": False, "orderID": "", "status": "matched", "errorMsg": ""}).encode()

    assert of_response(200, body, an_intent()).outcome is UNKNOWN


@pytest.mark.parametrize("status", ["live", "matched", "delayed"])
def test_an_acknowledgement_of_no_order_proves_nothing(status: str) -> None:
    body = json.dumps({"success": True, "orderID": "", "status": status, "errorMsg": ""}).encode()

    assert of_response(200, body, an_intent()).outcome is UNKNOWN


@pytest.mark.parametrize("status", ["live", "matched", "delayed", "unmatched"])
def test_each_word_of_the_venue_for_our_order_is_an_acknowledgement(status: str) -> None:
    answer = of_response(200, _acked(an_intent(), status), an_intent())

    assert (answer.outcome, answer.status) == (Outcome.ACKED, status)


def test_the_status_of_an_answer_is_a_number_that_a_trail_can_hash() -> None:
    answers = [of_response(200, _acked(an_intent(), status), an_intent()) for status in ("matched", "parked")]

    assert [digest({"http": answer.http_status}) for answer in answers] == [digest({"http": 200})] * 2


def test_a_word_that_nobody_has_seen_proves_nothing() -> None:
    assert of_response(200, _acked(an_intent(), "parked"), an_intent()).outcome is UNKNOWN


@pytest.mark.parametrize("status", [500, 502, 503, 520])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.text[:40])
def test_a_servers_error_refuses_nothing_but_where_the_venue_takes_no_orders_at_all(
    refusal: Refusal, status: int
) -> None:
    answer = of_response(status, json.dumps({"error": f"order 0x1: {refusal.text}"}).encode(), an_intent())

    assert answer.outcome is (REJECTED if refusal.is_mode and status == 503 else UNKNOWN)


def test_a_servers_error_does_not_even_prove_that_the_order_was_there_before() -> None:
    assert of_response(500, b'{"error": "order 0x1 is invalid. Duplicated."}', an_intent()).outcome is UNKNOWN


def test_every_refusal_of_the_table_is_met_by_a_text_of_the_venue() -> None:
    texts = [text.lower() for _, text, _ in TEXTS]

    assert [refusal.text for refusal in REFUSALS if not any(refusal.text in text for text in texts)] == []


def test_an_unmatched_answer_needs_no_order_id() -> None:
    body = json.dumps({"success": True, "orderID": "", "status": "unmatched", "errorMsg": ""}).encode()

    answer = of_response(200, body, an_intent())

    assert (answer.outcome, answer.status) == (Outcome.ACKED, "unmatched")


def test_a_200_of_another_shape_is_an_unknown_payload() -> None:
    with pytest.raises(UnknownPayload):
        of_response(200, b"[]", an_intent())


def _acked(intent: Intent, status: str, **amounts: str) -> bytes:
    return json.dumps(
        {"success": True, "orderID": intent.order_hash, "status": status, "errorMsg": "", **amounts}
    ).encode()
