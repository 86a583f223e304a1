"""Pages of the CLOB: `{limit, count, next_cursor, data}`, cursors opaque to clients (venue.md 3.1)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from services.venue.digits import whole
from services.venue.refusals import Refusal

T = TypeVar("T")

START, END = "MA==", "LTE="
MARKETS = "id:"
"""What stands before the number in cursors of the lists of markets."""


def page(
    rows: Sequence[T], cursor: str | None, size: int, prefix: str = "", write: Callable[[T], object] = lambda row: row
) -> dict[str, Any]:
    """The rows behind the cursor, as they are written; past the last there are none. Raises `Refusal` for a text that is no cursor, and for the
    end's."""
    start = _place(cursor or START, prefix)
    shown = list(map(write, rows[start : start + size]))
    more = start + size < len(rows)
    following = base64.b64encode(f"{prefix}{start + size}".encode()).decode() if more else END
    return {"limit": size, "count": len(shown), "next_cursor": following, "data": shown}


def _place(cursor: str, prefix: str) -> int:
    if cursor == END:
        raise Refusal("next item should be greater than or equal to 0")
    try:
        text = base64.b64decode(cursor, validate=True).decode()
    except ValueError as error:
        raise Refusal("invalid next_cursor") from error
    place = whole(text.removeprefix(prefix))
    if place is None:
        raise Refusal("invalid next_cursor")
    return place
