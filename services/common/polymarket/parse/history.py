"""A trader's recorded history: saved answers of the Data API, read into the trades that they hold."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import cast

from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade
from services.common.polymarket.parse.activity import ActivityKind, ActivityRow, leader_trade, read_rows
from services.common.polymarket.parse.payload import UnknownPayload, decode

SOURCE = "history"
EXPECTED = "expected Data API trade or activity rows, version 1 or 2, as JSON, JSON lines or CSV, plain or gzip"
COLUMNS = frozenset({"transactionHash", "transaction_hash"})
"""A first line that names one of these is a CSV's."""

MORE = "more"
"""Where the cells go that no name is for."""


def read_history(raw: bytes) -> tuple[ActivityRow, ...]:
    """The rows of a history in the file's order; raises `UnknownPayload` with one line that says what was expected."""
    rows = _rows(_text(raw))
    if not rows:
        raise UnknownPayload(SOURCE, EXPECTED, "")
    return read_rows(SOURCE, rows)


def _text(raw: bytes) -> str:
    try:
        plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        return plain.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise UnknownPayload(SOURCE, f"the gzip is damaged; {EXPECTED}", "") from error
    except UnicodeDecodeError as error:
        raise UnknownPayload(SOURCE, f"not text; {EXPECTED}", "") from error


def _rows(text: str) -> list[object]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    first = lines[0][1].strip() if lines else ""
    if first[:1] not in {"[", "{"}:
        return list(_csv(text)) if COLUMNS & set(first.replace('"', "").split(",")) else []
    try:
        return _of(decode(SOURCE, text))
    except UnknownPayload as error:
        if len(lines) == 1 or first in {"[", "{"}:
            raise UnknownPayload(SOURCE, EXPECTED, error.payload) from error
    return [row for number, line in lines for row in _line(number, line)]


def _line(number: int, line: str) -> list[object]:
    try:
        return _of(decode(SOURCE, line))
    except UnknownPayload as error:
        raise UnknownPayload(SOURCE, f"line {number}: {error.reason}; {EXPECTED}", line) from error


def _of(payload: object) -> list[object]:
    """The rows of one saved answer: a list, the envelope of version 2, or a row by itself."""
    if isinstance(payload, dict):
        envelope = cast(dict[str, object], payload)
        payload = envelope.get("data", [envelope] if envelope else [])
    return cast(list[object], payload) if isinstance(payload, list) else []


def _csv(text: str) -> Iterator[object]:
    """Rows by the names of the first line; an empty cell is a field that is absent."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey=MORE)
    try:
        for cells in reader:
            if MORE in cells:
                raise UnknownPayload(SOURCE, f"line {reader.line_num}: more cells than names; {EXPECTED}", cells)
            yield {name: cell for name, cell in cells.items() if cell}
    except csv.Error as error:
        raise UnknownPayload(SOURCE, f"line {reader.reader.line_num}: no CSV ({error}); {EXPECTED}", "") from error


def oldest_first(rows: Iterable[ActivityRow]) -> tuple[ActivityRow, ...]:
    """Rows by time; rows of one second keep the file's order."""
    return tuple(sorted(rows, key=lambda row: row.traded_at))


def trades_of(rows: Iterable[ActivityRow]) -> tuple[LeaderTrade, ...]:
    """The trades of a history, oldest first, each with a key of its own: identical rows are counted (venue.md 1.4)."""
    seen: Counter[tuple[str, str, Side | None, int]] = Counter()
    trades: list[LeaderTrade] = []
    for place, row in enumerate(oldest_first(rows)):
        if row.kind is not ActivityKind.TRADE:
            continue
        same = (row.tx_hash, row.token_id, row.side, row.shares_micros)
        trades.append(leader_trade(row, place, seen[same]))
        seen[same] += 1
    return tuple(trades)
