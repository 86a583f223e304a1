"""A tape is read strictly: what is wrong is named by line and field; what recordings hold becomes one."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.venue.tape.__main__ import app
from services.venue.tape.convert import NothingFound, convert
from services.venue.tape.format import BadTape, BookLine, MarketLine, TradeLine, parse, read_tape
from tests.recordings import path

MARKET = {"kind": "market", "market": "m", "question": "Rain?", "slug": "rain"}
BOOK = {"kind": "book", "market": "m", "at_ms": 1_000, "outcome": 0, "bids": [["0.4", "10"]], "asks": [["0.5", "10"]]}
TRADE = {"kind": "trade", "market": "m", "at_ms": 2_000, "outcome": 1, "side": "BUY", "price": "0.55", "size": "12"}


def lines(*found: object) -> list[bytes]:
    return [json.dumps(one).encode() for one in found]


def test_a_tape_is_its_markets_and_what_happens_in_them() -> None:
    tape = parse([*lines(MARKET, BOOK), b"\n", *lines(TRADE | {"wallet": "w"}, TRADE)])

    assert list(tape.markets) == ["m"]
    assert [entry.kind for entry in tape.entries] == ["book", "trade", "trade"]
    assert tape.wallets == ["w", "anyone"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (TRADE | {"price": "1.2"}, "line 3: price: Input should be less than 1"),
        (TRADE | {"side": "HOLD"}, "line 3: side: Input should be 'BUY' or 'SELL'"),
        (TRADE | {"size": 0}, "line 3: size: Input should be greater than 0"),
        (TRADE | {"colour": "red"}, "line 3: colour: Extra inputs are not permitted"),
        (TRADE | {"market": "n"}, "line 3: market: 'n' has no line of kind market before"),
        (TRADE | {"at_ms": 500}, "line 3: at_ms: 500 lies before the line above, which is of 1000"),
        (BOOK | {"asks": [["0.4", "1"]]}, "line 3: bids: they cross the asks"),
        (BOOK | {"bids": [["0.4"]]}, "line 3: bids.0.1: Field required"),
        (MARKET, "line 3: market: 'm' is there already"),
        (MARKET | {"market": "n", "tick": "0.02"}, "line 3: tick: expected one of 0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_field(line: object, says: str) -> None:
    with pytest.raises(BadTape) as caught:
        parse(lines(MARKET, BOOK, line))

    assert caught.value.problems == [says]


@pytest.mark.parametrize(
    ("raw", "says"), [(b"{", "Invalid JSON"), (b"7", "should be an object"), (b'{"kind":"x"}', "does not match any")]
)
def test_a_line_that_is_none_is_named_too(raw: bytes, says: str) -> None:
    with pytest.raises(BadTape) as caught:
        parse([raw])

    assert caught.value.problems[0].startswith("line 1: ")
    assert says in caught.value.problems[0]


def test_an_empty_tape_is_none() -> None:
    with pytest.raises(BadTape, match="the tape is empty"):
        parse(lines(MARKET))


def test_a_history_of_the_data_api_becomes_trades_oldest_first(tmp_path: Path) -> None:
    found = convert([path("histories/leader_0x4f3456c5_activity_v1.json.gz")])
    trades = [line for line in found if isinstance(line, TradeLine)]

    assert len(trades) == 298
    assert [one.at_ms for one in trades] == sorted(one.at_ms for one in trades)
    assert {one.wallet for one in trades} == {"0x4f3456c5b05b14d8afc40e0299d6d68de0ff7d7e"}
    assert {one.market for one in trades} == {line.market for line in found if isinstance(line, MarketLine)}


def test_frames_of_the_sockets_become_books_and_trades() -> None:
    frames = [path(f"polymarket/pb_ws/{name}.json") for name in ("clob_market_ws", "rtds_activity_trades")]
    found = convert([*frames, path("polymarket/pb_clob/clob_book_open_trimmed.json")])
    book = next(line for line in found if isinstance(line, BookLine))

    assert {type(line) for line in found} == {MarketLine, BookLine, TradeLine}
    assert max(price for price, _ in book.bids) < min(price for price, _ in book.asks)


def test_the_command_converts_and_checks_and_says_what_it_cannot(tmp_path: Path) -> None:
    run, out, empty = CliRunner(), tmp_path / "tape.jsonl", tmp_path / "empty.json"
    empty.write_text("[]")
    made = run.invoke(app, ["convert", str(path("histories/leader_0xe1df720a_activity_v1.json.gz")), "--out", str(out)])

    assert made.exit_code == 0, made.output
    assert "76 entries" in run.invoke(app, ["check", str(out)]).output
    assert len(read_tape(out).wallets) == 1
    out.write_text("{}\n")
    assert run.invoke(app, ["check", str(out)]).exit_code == 2
    assert run.invoke(app, ["convert", str(empty), "--out", str(out)]).exit_code == 2
    with pytest.raises(NothingFound):
        convert([empty])
