"""One history in every form in which people keep one, and files that are none."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from services.common.polymarket.parse.history import EXPECTED, read_history
from services.common.polymarket.parse.payload import UnknownPayload
from tests import recordings

NAMES = {
    "proxyWallet": "proxy_wallet",
    "transactionHash": "transaction_hash",
    "conditionId": "condition_id",
    "asset": "token_id",
    "usdcSize": "usdc_size",
    "outcomeIndex": "outcome_index",
    "eventSlug": "event_slug",
}
"""The fields of version 1 that version 2 spells otherwise."""

Rows = list[dict[str, Any]]


def a_row(kind: str = "TRADE", **changes: Any) -> dict[str, Any]:
    """A row of `/activity`, version 1."""
    row = {
        "proxyWallet": "0x" + "ab" * 20,
        "timestamp": 1771371995,
        "conditionId": "0x" + "cd" * 32,
        "type": kind,
        "size": 2.73,
        "usdcSize": 1.2285,
        "transactionHash": "0x" + "ef" * 32,
        "price": 0.45,
        "asset": "437895941834639072",
        "side": "BUY",
        "outcomeIndex": 0,
        "title": 'Rain, "really"?\nIn May',
        "slug": "rain",
        "icon": "",
        "eventSlug": "weather",
        "outcome": "Up",
    }
    return row | changes


ROWS = [
    a_row(),
    a_row(side="SELL", size=0.000001, price=1, timestamp=1771371996),
    a_row("REDEEM", side="", asset="", price=0, outcomeIndex=999),
]


def as_version_2(rows: Rows) -> Rows:
    return [{NAMES.get(name, name): value for name, value in row.items()} for row in rows]


def as_csv(rows: Rows) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_lines(rows: Rows) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n\n"


def envelope(rows: Rows) -> dict[str, Any]:
    return {"data": as_version_2(rows), "pagination": {"has_more": True, "next_cursor": "abc"}}


FORMS: dict[str, Callable[[Rows], str]] = {
    "a list": json.dumps,
    "a list over many lines": lambda rows: json.dumps(rows, indent=1),
    "a list of version 2": lambda rows: json.dumps(as_version_2(rows)),
    "the envelope of version 2": lambda rows: json.dumps(envelope(rows), indent=2),
    "JSON lines": as_lines,
    "JSON lines of version 2": lambda rows: as_lines(as_version_2(rows)),
    "a page a line": lambda rows: "\n".join(json.dumps(envelope([row])) for row in rows),
    "a list a line": lambda rows: "\r\n".join(json.dumps([row]) for row in rows),
    "CSV": as_csv,
    "CSV of version 2": lambda rows: as_csv(as_version_2(rows)),
    "CSV of a spreadsheet": lambda rows: "\ufeff" + as_csv(rows),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_same_rows_are_read_whatever_form_they_are_kept_in(form, pack):
    expected = read_history(json.dumps(ROWS).encode())

    assert len(expected) == 3
    assert read_history(pack(form(ROWS).encode())) == expected


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_recorded_history_is_the_same_in_every_form(form):
    rows = recordings.load("histories/leader_0x81514a78_activity_v1.json.gz")

    assert read_history(form(rows).encode()) == read_history(json.dumps(rows).encode())


GOOD = json.dumps(a_row())
NO_HISTORY = {
    "nothing": b"",
    "blank lines": b"\n \n",
    "words": b"hello",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "an empty page": b'{"data": []}',
    "null": b"null",
    "a number": b"17",
    "bytes": bytes(range(256)),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "damaged gzip": b"\x1f\x8bbroken",
    "truncated gzip": gzip.compress(GOOD.encode() * 50)[:-20],
    "gzip of nothing": gzip.compress(b""),
    "cut off": GOOD[:-9].encode(),
    "a list cut off": json.dumps([a_row(), a_row()], indent=1)[:-30].encode(),
    "deep": b"[" * 100_000,
    "a CSV of something else": b"name,price\nx,1\n",
    "a CSV without rows": b"transactionHash,size\n",
    "numbers": b"[1, 2]",
    "other objects": b'[{"a": 1}]',
    "another object": b'{"a": 1}',
    "data that is no list": b'{"data": {"a": 1}}',
}


@pytest.mark.parametrize("raw", NO_HISTORY.values(), ids=NO_HISTORY)
def test_a_file_that_is_no_history_is_one_line_about_what_was_expected(raw):
    with pytest.raises(UnknownPayload) as caught:
        read_history(raw)

    assert "\n" not in str(caught.value)
    assert EXPECTED in caught.value.reason or caught.value.reason.startswith("row 1: ")


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (f"{GOOD}\n{GOOD[:-5]}\n{GOOD}", "line 2: not JSON"),
        (json.dumps([a_row(), a_row(price=1.5)]), "row 2: price: outside 0 to 1"),
        (f"{GOOD}\n\n{json.dumps(a_row(side='HOLD'))}", "row 2: side: neither BUY nor SELL"),
        (as_csv([a_row(), a_row(size="much")]), "row 2: size: not a number"),
        (as_csv([a_row(title="x")]) + "a," * 20, "line 3: more cells than names"),
        ('transactionHash,size\n"a"b,1', "line 2: no CSV"),
        (json.dumps([a_row(type="DANCE")]), "row 1: type: an unknown kind of activity"),
        (json.dumps([a_row(timestamp=10**30)]), "row 1: timestamp: not an instant"),
        (json.dumps([a_row(size=0)]), "row 1: size: a trade of nothing"),
        (json.dumps([a_row(), 5]), "row 2: not an object"),
    ],
    ids=lambda value: value if value.startswith(("line", "row")) else "in",
)
def test_what_is_wrong_in_a_history_is_named_with_its_place(raw, where):
    with pytest.raises(UnknownPayload) as caught:
        read_history(raw.encode())

    assert caught.value.reason.startswith(where)
