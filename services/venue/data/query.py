"""Reading the Data API's query strings: limits, windows and filters, and the refusals as the real one words them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from services.venue.digits import whole

MICRO = 1_000_000
MOST_CONDITIONS = 20
LARGEST = Decimal(10**30)


class BadQuery(Exception):
    """A query that is answered with 400; `parameter` is the one at fault, where one is."""

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. Empty sets and texts filter nothing; the window is inclusive, in seconds."""

    user: str
    conditions: frozenset[str]
    side: str
    start: int
    end: int | None
    kinds: frozenset[str]
    sort_by: str
    ascending: bool
    taker_only: bool
    filter_type: str
    filter_micros: int
    limit: int
    offset: int


class Arguments:
    """A query string in either spelling: `camelCase` finds `snake_case` too."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def text(self, *names: str, default: str = "") -> str:
        for name in names:
            if self._given.get(name):
                return self._given[name]
        return default

    def has(self, name: str) -> bool:
        return name in self._given

    def number(self, *names: str, default: int) -> int:
        value = self.text(*names)
        if not value:
            return default
        number = whole(value)
        if number is None:
            raise BadQuery(f"Failed to deserialize query string: {names[0]}: invalid digit found in string", names[0])
        return number

    def micros(self, *names: str, default: int) -> int:
        value = self.text(*names)
        try:
            # Powers of ten are written shortly, and no Python integer of theirs is.
            return int(max(-LARGEST, min(Decimal(value), LARGEST)) * MICRO) if value else default
        except (DecimalException, ValueError, OverflowError) as error:
            raise BadQuery(
                f"Failed to deserialize query string: {names[0]}: invalid float literal", names[0]
            ) from error

    def flag(self, *names: str, default: bool) -> bool:
        value = self.text(*names, default=str(default)).lower()
        if value not in ("true", "false"):
            message = f"Failed to deserialize query string: {names[0]}: provided string was not `true` or `false`"
            raise BadQuery(message, names[0])
        return value == "true"

    def choice(self, *names: str, of: tuple[str, ...], default: str) -> str:
        value = self.text(*names, default=default).upper()
        if value not in of and value != default:
            raise BadQuery(f"invalid {names[0]}: {value}", names[0])
        return value

    def listed(self, *names: str) -> frozenset[str]:
        return frozenset(part.strip() for part in self.text(*names).split(",") if part.strip())


def joined(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A query string as one text per name: repeated names become a comma-separated list."""
    found: dict[str, str] = {}
    for name, value in given:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def read_user(arguments: Arguments, *, required: bool) -> str:
    """The wallet in lower case; BadQuery where it is absent and required, or no address."""
    user = arguments.text("user").lower()
    if not user and required:
        raise BadQuery("required query param 'user' not provided", "user")
    if user and not _is_address(user):
        raise BadQuery(f"invalid user: {user}", "user")
    return user


def read_conditions(arguments: Arguments, *names: str) -> frozenset[str]:
    """Condition ids in lower case; BadQuery for more than twenty."""
    conditions = frozenset(one.lower() for one in arguments.listed(*names))
    if len(conditions) > MOST_CONDITIONS:
        raise BadQuery(f"at most {MOST_CONDITIONS} values are allowed", names[0])
    return conditions


def _is_address(text: str) -> bool:
    digits = text.removeprefix("0x")
    return len(text) == 42 and len(digits) == 40 and all(digit in "0123456789abcdef" for digit in digits)
