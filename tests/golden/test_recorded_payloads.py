"""Every recorded payload passes its parser, and what no parser reads becomes a dead letter and nothing worse."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from services.common.domain.fill import TradeStatus
from services.common.domain.market import Fee, Level, Side, TokenProtocol
from services.common.polymarket.parse import activity, clob, gamma, history, streams
from services.common.polymarket.parse.payload import Fields, UnknownPayload, dead_letter, decode
from tests import recordings

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DATA = "polymarket/pb_data_api/"
CLOB = "polymarket/pb_clob/"
WS = "polymarket/pb_ws/"
DOCS = "polymarket/docs_examples/"


def exact(name):
    return decode("test", recordings.text(name))["response"]


def frame(value) -> str:
    return json.dumps(value, default=float)


def test_the_same_fill_in_both_versions_of_the_data_api_is_one_row():
    rows_v1 = activity.read_rows("v1", exact(DATA + "data_v1_activity_by_type.json")["TRADE"]["rows"])
    page = activity.read_page("v2", exact(DATA + "data_v2_activity.json"))
    rows_v2 = [activity.read_row(row) for row in page.rows]

    assert set(rows_v1) < set(rows_v2)
    assert page.cursor.startswith("eyJ")
    assert rows_v1[1].usdc_micros == 1_600_000
    assert (rows_v1[0].shares_micros, rows_v1[0].price) == (199_372_308, Decimal("0.7400000004"))


def test_every_kind_of_activity_is_known():
    kinds = exact(DATA + "data_v1_activity_by_type.json")

    for kind, answer in kinds.items():
        rows = activity.read_rows(kind, answer["rows"])
        assert {str(row.kind) for row in rows} <= {kind}
        assert all(row.side is None for row in rows if kind != "TRADE")


@pytest.mark.parametrize("name", ["data_v2_trades_all.json", "data_v2_trades_taker_only.json"])
def test_trades_of_version_2(name):
    page = activity.read_page("v2", exact(DATA + name))
    rows = [activity.read_row(row) for row in page.rows]

    assert len(rows) == 2
    assert all(row.side is Side.BUY and row.shares_micros > 0 for row in rows)


def test_trades_of_version_1():
    rows = activity.read_rows("v1", exact(DATA + "data_v1_trades.json"))

    assert [row.usdc_micros for row in rows] == [3_294_118, 147_535_508]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("data_v2_positions_open.json", [566_673_200, 600_000_000]),
        ("data_v2_positions_closed.json", [0, 0]),
    ],
)
def test_positions_of_version_2(name, sizes):
    page = activity.read_page("v2", exact(DATA + name))

    assert [activity.read_position(row).shares_micros for row in page.rows] == sizes


def test_positions_of_version_1():
    rows = [activity.read_position(Fields("v1", row)) for row in exact(DATA + "data_v1_positions.json")]

    assert [row.shares_micros for row in rows] == [600_000_000, 566_673_200]


def test_errors_of_both_versions():
    for answer in exact(DATA + "data_pagination_errors.json").values():
        assert "limit" in clob.read_error(answer["body"]) or "offset" in clob.read_error(answer["body"])


def test_a_book_is_read_best_first():
    book = clob.read_book(exact(CLOB + "clob_book_open_trimmed.json"), NOON)

    assert book.bids[0] == Level(500_000, 88_180_000)
    assert book.asks[0] == Level(510_000, 251_520_000)
    assert book.mid_micros == 505_000
    assert len(book.bids) == len(book.asks) == 5


def test_a_resolved_market_of_gamma():
    (half,) = gamma.read_gamma_event(exact(CLOB + "gamma_event_btc_15m_resolved.json"))
    market = gamma.build_market(half, None, NOON)

    assert market.closed
    assert market.uma_status == "resolved"
    assert not market.accepting_orders
    assert market.protocol is TokenProtocol.CTF
    assert (market.tick_micros, market.min_size_micros, market.fee) == (1_000, 5_000_000, Fee(70_000))
    assert [token.outcome for token in market.tokens] == ["Up", "Down"]
    assert (market.event_id, market.ends_at) == ("1093037", datetime(2026, 9, 28, 17, 45, tzinfo=UTC))


def test_the_market_info_of_the_clob():
    market = gamma.read_clob_market(exact(CLOB + "clob_markets_info_example.json"))

    assert (market.tick_micros, market.min_size_micros, market.fee) == (1_000, 5_000_000, Fee(40_000))
    assert (market.accepting_orders, market.neg_risk, market.version) == (True, False, "v1")


def test_frames_of_the_market_channel():
    samples = recordings.load(WS + "clob_market_ws.json")["samples"]
    book = samples["book"]
    book["asks"] = [level for level in book["asks"] if isinstance(level, dict)]  # the recording leaves out 93 levels

    (best_first,) = streams.read_market_frames(frame(book), NOON)
    changes = streams.read_market_frames(frame(samples["price_change"]), NOON)
    (trade,) = streams.read_market_frames(frame(samples["last_trade_price"]), NOON)

    assert (best_first.bids, best_first.asks[0]) == ((), Level(10_000, 47_509_380_000))
    assert [(change.side, change.price_micros, change.size_micros) for change in changes] == [
        (Side.BUY, 10_000, 2_866_230_000),
        (Side.SELL, 990_000, 2_866_230_000),
    ]
    assert (changes[0].best_bid_micros, changes[0].best_ask_micros) == (990_000, 1_000_000)
    assert (trade.price_micros, trade.shares_micros) == (10_000, 100_000_000)
    for known in ("best_bid_ask", "new_market"):
        assert streams.read_market_frames(frame(samples[known]), NOON) == (streams.Announced(known),)


def test_a_list_of_frames_is_read_like_each_of_them():
    samples = recordings.load(WS + "clob_market_ws.json")["samples"]
    pair = [samples["best_bid_ask"], samples["last_trade_price"]]

    assert len(streams.read_market_frames(frame(pair), NOON)) == 2


def test_fills_of_rtds_are_read_whoever_s_they_are():
    recording = recordings.load(WS + "rtds_activity_trades.json")

    (fill,) = streams.read_rtds_frames(frame(recording["bosona_fill"]))
    (other,) = streams.read_rtds_frames(frame(recording["other_fill"]))

    assert fill.wallet == "0xc2ad03f79ca3f3c17d8c7de2612ce0c89b7d40ed"
    assert (fill.shares_micros, other.shares_micros) == (996_000_000, 18_000_000)


def test_frames_of_the_user_channel():
    examples = recordings.load(DOCS + "asyncapi_user_channel_examples.json")

    (placed,) = streams.read_user_frames(frame(examples["order_placement"]))
    (cancelled,) = streams.read_user_frames(frame(examples["order_cancellation"]))
    (matched,) = streams.read_user_frames(frame(examples["trade_matched"]))
    (confirmed,) = streams.read_user_frames(frame(examples["trade_confirmed"]))

    assert (placed.status, placed.original_micros, placed.matched_micros) == ("LIVE", 10_000_000, 0)
    assert (cancelled.status, cancelled.matched_micros) == ("CANCELED", 5_000_000)
    assert (matched.status, confirmed.status) == (TradeStatus.MATCHED, TradeStatus.CONFIRMED)
    ours = matched.of("0xFF354CD7CA7539DFA9C28D90943AB5779A4EAC34B9B37A757D7B32BDFB11790B")
    assert (ours.side, ours.shares_micros, ours.price_micros, ours.taker) == (Side.SELL, 10_000_000, 570_000, False)
    assert matched.of(matched.parts[0].order_hash).taker
    assert matched.of("0x00") is None
    assert streams.read_user_frames(examples["pong"]) == ()


def test_answers_to_an_order():
    answers = recordings.load(DOCS + "post_order_openapi.json")

    for status, answer in answers["200"].items():
        read = clob.read_post_answer(answer)
        assert (read.status, read.success, read.making) == (status, True, 100_000_000)
    for code in ("400", "401", "500", "503"):
        assert all(clob.read_error(body) for body in answers[code])


HISTORIES = {
    "leader_0xe00740bc_trades_v1.json.gz": (1000, 711, 289),
    "leader_0x6031b6ee_trades_v1.json.gz": (1000, 1000, 0),
    "leader_0xe1df720a_activity_v1.json.gz": (99, None, None),
    "leader_0x81514a78_activity_v1.json.gz": (200, None, None),
    "leader_0x4f3456c5_activity_v1.json.gz": (500, None, None),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_whole_history_is_read_and_every_trade_keeps_a_key_of_its_own(name):
    count, buys, sells = HISTORIES[name]
    rows = history.read_history(recordings.path("histories/" + name).read_bytes())
    trades = history.trades_of(rows)

    assert len(rows) == count
    assert len({trade.key for trade in trades}) == len(trades)
    assert len(trades) == sum(row.kind is activity.ActivityKind.TRADE for row in rows)
    assert all(earlier.traded_at <= later.traded_at for earlier, later in pairwise(trades))
    if buys is not None:
        assert sum(trade.side is Side.BUY for trade in trades) == buys
        assert sum(trade.side is Side.SELL for trade in trades) == sells


def test_exact_duplicates_of_a_history_are_kept_as_fills_of_their_own():
    rows = history.read_history(recordings.path("histories/leader_0x6031b6ee_trades_v1.json.gz").read_bytes())
    trades = history.trades_of(rows)

    assert len(rows) - len(set(rows)) == 32
    assert sum(not trade.key.endswith("|0") for trade in trades) >= 32


def test_rows_of_one_second_keep_the_file_s_order():
    rows = history.read_history(recordings.path("histories/leader_0x6031b6ee_trades_v1.json.gz").read_bytes())
    second = rows[500].traded_at

    ordered = [row for row in history.oldest_first(rows) if row.traded_at == second]

    assert ordered == [row for row in rows if row.traded_at == second]


# Recordings that no part of PolyCopy reads: other endpoints, measurements, requests of another client, calldata.
UNREAD = [
    (
        DATA + "data_v1_closed_positions.json",
        lambda payload: activity.read_position(Fields("x", payload["response"][0])),
    ),
    (DATA + "data_v2_status.json", lambda payload: activity.read_page("x", payload["response"])),
    (CLOB + "clob_market_resolved.json", lambda payload: gamma.read_clob_market(payload["response"])),
    (CLOB + "clob_misc_open.json", lambda payload: clob.read_book(payload["response"]["GET /price?side=BUY"], NOON)),
    (WS + "detection_race.json", lambda payload: list(streams.read_market_event(Fields("x", payload), NOON))),
    ("polymarket/sdk_wire_capture/requests.json", lambda payload: clob.read_post_answer(payload["exchanges"][0])),
    ("polymarket/pb_chain/match_orders_decoded.json", clob.read_trades_page),
]


@pytest.mark.parametrize(("name", "read"), UNREAD, ids=[name for name, _ in UNREAD])
def test_a_foreign_payload_is_a_dead_letter_and_never_a_guess(name, read):
    payload = decode("test", recordings.text(name))

    with pytest.raises(UnknownPayload) as caught:
        read(payload)
    letter = dead_letter("test", payload, caught.value, NOON)

    assert letter.reason == caught.value.reason
    assert letter.shape["$"] == "dict"
    assert len(letter.body) <= 4096


READ_ELSEWHERE = {"chain_orderfilled_samples.json", "chain_eth_subscribe.json"}  # test_recorded_logs.py


def test_every_recording_is_held_to_something():
    if not recordings.DATA.exists():
        pytest.skip("recordings absent")
    text = Path(__file__).read_text()
    names = {file.name for file in recordings.DATA.rglob("*.json*")}

    assert {name for name in names if name not in text} == set()
