"""Version 2's pages: limits, the envelope, and cursors into lists that are made anew for each page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.venue.data.cursor import read_cursor, write_cursor
from services.venue.data.query import Arguments, BadQuery
from services.venue.data.rows import Row

LIMIT, MOST = 100, 1_000
DIRECTIONS = ("ASC", "DESC")


def read_limit(arguments: Arguments, most: int = MOST) -> int:
    """The page's size; BadQuery for more than `most`, and for an offset, which version 2 does not know."""
    if arguments.has("offset"):
        raise BadQuery("offset is not supported, use cursor", "offset")
    limit = arguments.number("limit", default=min(LIMIT, most))
    if limit > most:
        raise BadQuery(f"Failed to deserialize query string: limit: limit must be between 0 and {most}")
    return limit


def page_of(kind: str, rows: Sequence[Any], limit: int, arguments: Arguments) -> Row:
    """One page of a whole list; its cursor counts the rows that were shown."""
    cursor, filters = arguments.text("cursor"), arguments.filters()
    done = int(read_cursor(kind, cursor, filters)["d"]) if cursor else 0
    more = len(rows) > done + limit and limit > 0
    following = write_cursor(kind, {"l": limit, "d": done + limit}, filters) if more else None
    return envelope(rows[done : done + limit], limit, following)


def envelope(rows: Sequence[Any], limit: int, cursor: str | None) -> Row:
    pagination = {"limit": limit, "offset": 0, "has_more": cursor is not None, "next_cursor": cursor}
    return {"data": list(rows), "pagination": pagination}
