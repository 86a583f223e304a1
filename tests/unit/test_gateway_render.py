"""Messages as the JSON that people read, and the envelope around them."""

from datetime import UTC, datetime

import grpc
import orjson
import pytest
from polycopy.common.v1 import trade_pb2
from polycopy.engine.v1 import engine_pb2
from polycopy.reconciler.v1 import reconciler_pb2

from services.gateway.envelope import failure, http_status, public_text, success
from services.gateway.render import public


def a_position(**given: object) -> reconciler_pb2.Position:
    return reconciler_pb2.Position(account_id="a", size_micros=1_500_000, avg_price_micros=430_000, **given)  # type: ignore[arg-type]


def test_money_is_a_decimal_number_without_its_unit_in_the_name() -> None:
    shown = public(a_position())

    assert (shown["size"], shown["avgPrice"]) == (1.5, 0.43)
    assert "sizeMicros" not in shown


def test_what_is_not_known_is_null_and_what_is_zero_is_zero() -> None:
    unknown, worthless = public(a_position()), public(a_position(current_value_micros=0))

    assert (unknown["currentValue"], worthless["currentValue"]) == (None, 0.0)
    assert unknown["endDate"] is None
    assert unknown["realizedPnl"] == 0.0


def test_counts_are_numbers_and_token_ids_keep_every_digit() -> None:
    status = public(engine_pb2.GetTradingStatusResponse(uptime_ms=1_795_539_839_626))
    asset = str(2**256 - 1)

    assert status["uptimeMs"] == 1_795_539_839_626
    assert public(a_position(asset=asset))["asset"] == asset


def test_names_of_values_lose_their_prefix_and_times_are_iso() -> None:
    copy = trade_pb2.Copy(state=trade_pb2.COPY_STATE_SKIPPED, trade=trade_pb2.LeaderTrade(side=trade_pb2.SIDE_BUY))
    copy.detected_at.FromDatetime(datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC))
    shown = public(copy)

    assert (shown["state"], shown["trade"]["side"], shown["kind"]) == ("SKIPPED", "BUY", None)
    assert shown["detectedAt"] == "2026-11-24T12:00:00.250Z"


def test_of_a_choice_only_the_set_event_is_there() -> None:
    message = engine_pb2.WatchEventsResponse(resume_token="t", system_status=engine_pb2.SystemStatus(active_trades=3))

    assert public(message) == {"resumeToken": "t", "systemStatus": {"uptimeMs": 0, "activeTrades": 3}}


def test_a_map_and_a_list_stay_what_they_are() -> None:
    message = engine_pb2.Verdict(guard="price", observed={"price": "0.5"})
    answer = engine_pb2.ExplainCopyResponse(verdicts=[message])

    assert public(answer)["verdicts"][0]["observed"] == {"price": "0.5"}
    assert public(message)["ageMs"] is None


def test_an_answer_wears_the_envelope_with_a_number_of_milliseconds() -> None:
    body = orjson.loads(success([1]).body)

    assert body["success"] is True
    assert body["data"] == [1]
    assert isinstance(body["timestamp"], int)
    assert body["timestamp"] > 1_600_000_000_000


def test_an_error_wears_it_too_and_is_kept_by_no_cache() -> None:
    answer = failure(429, "too many requests", {"retry-after": "7"}, reason="RATE_LIMITED")
    body = orjson.loads(answer.body)

    assert (body["success"], body["error"], body["reason"]) == (False, "too many requests", "RATE_LIMITED")
    assert "data" not in body
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("7", "no-store")


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_status_becomes_one_of_the_documented_codes(code: grpc.StatusCode) -> None:
    assert http_status(code) in {200, 400, 401, 403, 404, 409, 429, 500, 503}


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNAVAILABLE]
)
def test_what_went_wrong_inside_does_not_leave(code: grpc.StatusCode) -> None:
    assert "secret" not in public_text(code, "secret internals")


def test_what_the_caller_did_wrong_does() -> None:
    assert public_text(grpc.StatusCode.INVALID_ARGUMENT, "limit: expected 0 to 200") == "limit: expected 0 to 200"
