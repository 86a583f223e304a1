"""Limits and offsets of listings, checked in one place."""

from services.common.rpc.errors import InvalidArgument

DEFAULT = 50
MOST = 200


def page(limit: int, offset: int) -> tuple[int, int]:
    """The page asked for; 0 means the default size. Raises `InvalidArgument` naming the field."""
    if not 0 <= limit <= MOST:
        raise InvalidArgument("limit", f"0 to {MOST}")
    if offset < 0:
        raise InvalidArgument("offset", "0 or more")
    return limit or DEFAULT, offset
