"""Whole numbers as strangers write them: ASCII digits and no more of them than the number can have."""

from __future__ import annotations

MOST_DIGITS = 78
"""As many as 2^256 - 1 has."""


def whole(text: str, most: int = 2**256 - 1) -> int | None:
    """The number, or None for anything else: `²` is a digit to Python, and thousands of them cost it dear."""
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        return None
    number = int(text)
    return number if number <= most else None
