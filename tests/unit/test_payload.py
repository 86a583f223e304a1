"""Shapes that are not known become a named error and one letter, whatever they hold."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.polymarket.parse import activity, clob, gamma, history, streams
from services.common.polymarket.parse.payload import Fields, UnknownPayload, dead_letter, decode

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN = "87378234650055540935470495291045092567587444793277575994368171700863579455312"


def a_row(**changes):
    row = {
        "proxyWallet": "0x" + "Aa" * 20,
        "timestamp": 1790620097,
        "conditionId": "0x" + "cc" * 32,
        "size": Decimal("5"),
        "price": Decimal("0.32"),
        "asset": TOKEN,
        "side": "BUY",
        "outcomeIndex": 999,
        "transactionHash": "0x" + "dd" * 32,
    }
    return row | changes


def test_a_row_without_labels_is_still_a_trade():
    row = activity.read_row(Fields("trades", a_row()))

    assert (row.wallet, row.outcome_index, row.usdc_micros) == ("0x" + "aa" * 20, None, 1_600_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "HOLD"},
        {"side": None},
        {"size": 0},
        {"size": "many"},
        {"size": True},
        {"price": Decimal("1.2")},
        {"asset": ""},
        {"asset": "0x12"},
        {"proxyWallet": "0x12"},
        {"transactionHash": "0x" + "zz" * 32},
        {"timestamp": "yesterday"},
        {"timestamp": Decimal("1.5")},
        {"timestamp": 10**30},
        {"type": "LOTTERY"},
        {"outcomeIndex": "first"},
    ],
    ids=lambda changes: json.dumps(changes, default=str),
)
def test_a_trade_row_with_one_wrong_field_is_unknown(changes):
    with pytest.raises(UnknownPayload, match=next(iter(changes)) if "type" not in changes else "type"):
        activity.read_row(Fields("trades", a_row(**changes)))


@pytest.mark.parametrize("text", ["", "{", '{"price": NaN}', '{"price": Infinity}', "[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_unknown(text):
    with pytest.raises(UnknownPayload):
        decode("book", text)


def test_numbers_keep_every_digit():
    assert decode("x", '{"a": 0.12345678901234567890123}') == {"a": Decimal("0.12345678901234567890123")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "bids", "asks", "asset_id", "pagination", "event_type", "topic", "status", "id", "t"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
READERS = [
    lambda payload: activity.read_row(Fields("x", payload)),
    lambda payload: activity.read_position(Fields("x", payload)),
    lambda payload: activity.read_page("x", payload),
    lambda payload: clob.read_book(payload, NOON),
    clob.read_post_answer,
    clob.read_open_order,
    clob.read_trades_page,
    clob.read_spendable,
    clob.read_credentials,
    clob.read_error,
    gamma.read_gamma_markets,
    gamma.read_gamma_event,
    gamma.read_clob_market,
    lambda payload: streams.read_market_frames(json.dumps(payload, default=str), NOON),
    lambda payload: streams.read_user_frames(json.dumps(payload, default=str)),
    lambda payload: streams.read_rtds_frames(json.dumps(payload, default=str)),
    lambda payload: history.read_history(json.dumps(payload, default=str).encode()),
]


@given(JSON, st.sampled_from(READERS))
def test_no_payload_raises_anything_but_the_named_error(payload, read):
    try:
        read(payload)
        error = UnknownPayload("x", "read", payload)
    except UnknownPayload as unknown:
        error = unknown

    assert len(dead_letter(error.source, payload, error, NOON).digest) == 64


def test_numbers_that_no_machine_can_hold_are_unknown():
    with pytest.raises(UnknownPayload, match="size"):
        activity.read_row(Fields("trades", a_row(size=Decimal("1e999999"))))


def test_a_deep_payload_has_a_shallow_letter():
    deep = decode("x", "[" * 500 + "]" * 500)

    assert len(dead_letter("x", deep, UnknownPayload("x", "not an object", deep), NOON).shape) < 20


def test_letters_of_one_shape_are_one_letter_and_show_no_secret():
    error = UnknownPayload("api_key", "apiKey: not a text", {})
    first = dead_letter("api_key", {"apiKey": 1, "secret": "hunter2"}, error, NOON)
    second = dead_letter("api_key", {"apiKey": 2, "secret": "swordfish"}, error, NOON)
    other = dead_letter("api_key", {"apiKey": "x", "secret": "swordfish"}, error, NOON)

    assert first.digest == second.digest != other.digest
    assert first.shape == {"$": "dict", "$.apiKey": "int", "$.secret": "str"}
    assert "hunter2" not in first.body


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"[]", b"{}", b'{"data": []}', b"\x1f\x8bbroken", b"[1, 2]", b'[{"a": 1}]', b"null"]
)
def test_a_file_that_is_no_history_says_what_was_expected(raw):
    with pytest.raises(UnknownPayload) as caught:
        history.read_history(raw)

    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value) or "row 1" in str(caught.value)


@pytest.mark.parametrize("exponent", [-1, 5, 10**9])
def test_a_fee_whose_curve_nobody_could_compute_is_unknown(exponent):
    market = {"feeSchedule": {"rate": Decimal("0.07"), "exponent": exponent}}

    with pytest.raises(UnknownPayload, match="exponent"):
        gamma.read_fee(Fields("gamma_market", market))
