"""What the answer to an order says besides it: of the mode that the venue is in, and of what it lets this account do (venue.md 3.6, 8)."""

from enum import StrEnum
from http import HTTPStatus


class Mode(StrEnum):
    """Why no order of ours is taken at all. Of an account that may only close, sales are."""

    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"
    GEOBLOCKED = "geoblocked"
    BANNED = "banned"
    CLOSED_ONLY = "closed_only"


_TEXTS = {
    "post-only mode": Mode.POST_ONLY,
    "trading is currently cancel-only": Mode.CANCEL_ONLY,
    "trading is currently disabled": Mode.DISABLED,
    "trading restricted in your region": Mode.GEOBLOCKED,
    "address banned": Mode.BANNED,
    "address in closed only mode": Mode.CLOSED_ONLY,
}


def mode_of(status: int | None, text: str) -> Mode | None:
    """The mode that an answer tells of; None where it tells of none."""
    if status == HTTPStatus.TOO_EARLY:
        return Mode.RESTARTING
    lowered = text.lower()
    return next((mode for words, mode in _TEXTS.items() if words in lowered), None)
