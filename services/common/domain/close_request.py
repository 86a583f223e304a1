"""A person's wish to sell what an account holds: kept before anything is owed for it, so that it is carried out once, and whole."""

from dataclasses import dataclass
from datetime import datetime

from services.common.domain.exit import Step


@dataclass(frozen=True, slots=True)
class Ask:
    """One step that a request comes to, in the exit of (follow, token)."""

    follow_id: str
    token_id: str
    step: Step


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """The document in `close_requests`, unique by account and `request_id`.

    `asset_ids` are the tokens that were named, `asks` what was owed for them at that moment: a repetition asks for nothing else,
    whatever has been bought since. `done` once every step is in its exit.
    """

    key: str
    account_id: str
    request_id: str
    asset_ids: tuple[str, ...]
    asks: tuple[Ask, ...]
    by: str
    at: datetime
    done: bool = False


def request_key(account_id: str, request_id: str) -> str:
    """A request is unique by account and the name that its maker gave it."""
    return f"{account_id}|{request_id}"
