"""A trader's recorded history: a saved answer of the Data API, read into the trades that it holds."""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import cast

from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade
from services.common.polymarket.parse.activity import ActivityKind, ActivityRow, leader_trade, read_rows
from services.common.polymarket.parse.payload import UnknownPayload, decode

SOURCE = "history"
EXPECTED = "expected a JSON list of Data API trade or activity rows (version 1, or version 2 with its envelope)"


def read_history(raw: bytes) -> tuple[ActivityRow, ...]:
    """The rows of a history in the file's order, gzip or plain; raises `UnknownPayload` with one line that says what was expected."""
    payload = decode_history(raw)
    if isinstance(payload, dict):
        payload = cast(dict[str, object], payload).get("data")
    rows = cast(list[object], payload) if isinstance(payload, list) else []
    if not rows:
        raise UnknownPayload(SOURCE, EXPECTED, "")
    return read_rows(SOURCE, rows)


def decode_history(raw: bytes) -> object:
    """The JSON of a history file."""
    try:
        plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise UnknownPayload(SOURCE, f"{EXPECTED}; the gzip is damaged", "") from error
    try:
        return decode(SOURCE, plain)
    except UnknownPayload as error:
        raise UnknownPayload(SOURCE, EXPECTED, error.payload) from error


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
