"""Reading the Data API's query strings: limits, windows and filters, and the refusals as the real one words them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from services.venue.contracts import is_position_id

MICRO = 1_000_000
MOST_CONDITIONS = 20
MOST_TITLE = 200
MOST_NUMBER = 2**63 - 1
LARGEST = Decimal(10**30)
YEARS_S = 3 * 365 * 86_400
KINDS = (
    "TRADE",
    "SPLIT",
    "MERGE",
    "REDEEM",
    "REWARD",
    "CONVERSION",
    "DEPOSIT",
    "WITHDRAWAL",
    "YIELD",
    "MAKER_REBATE",
    "TAKER_REBATE",
    "REFERRAL_REWARD",
)
KINDS_V2 = (*KINDS, "MIGRATION", "TIP")
_BEGINS = "Failed to deserialize query string: "


class BadQuery(Exception):
    """A query that is answered with 400; `parameter` is the one at fault, where one is."""

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. Empty sets and texts filter nothing, but `conditions` None does not: an empty set there finds
    nothing. The window is inclusive, in seconds."""

    user: str
    conditions: frozenset[str] | None
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
    """A query string in either spelling: `camelCase` finds `snake_case` too.

    What is never looked at is refused by `finish`: a filter that has no effect would answer more than was asked for.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._seen: set[str] = set()

    def text(self, *names: str, default: str = "") -> str:
        """The first of `names` that is given and not empty."""
        self._seen.update(names)
        return next((self._given[name] for name in names if self._given.get(name)), default)

    def has(self, *names: str) -> bool:
        self._seen.update(names)
        return any(name in self._given for name in names)

    def number(self, *names: str, default: int) -> int:
        value = self.text(*names)
        if not value:
            return default
        if not value.isascii() or not value.isdecimal():
            raise BadQuery(f"{_BEGINS}{names[0]}: invalid digit found in string", names[0])
        if len(value) > len(str(MOST_NUMBER)) or int(value) > MOST_NUMBER:
            raise BadQuery(f"{_BEGINS}{names[0]}: number too large to fit in target type", names[0])
        return int(value)

    def micros(self, *names: str, default: int) -> int:
        """An amount in shares or dollars, in millionths."""
        value = self.text(*names)
        try:
            # Powers of ten are written shortly, and no Python integer of theirs is.
            micros = int(min(Decimal(value), LARGEST) * MICRO) if value else default
        except DecimalException:
            micros = -1
        if micros < 0:
            raise BadQuery(f"{_BEGINS}{names[0]}: invalid float literal", names[0])
        return micros

    def flag(self, *names: str, default: bool) -> bool:
        value = self.text(*names, default=str(default)).lower()
        if value not in ("true", "false"):
            raise BadQuery(f"{_BEGINS}{names[0]}: provided string was not `true` or `false`", names[0])
        return value == "true"

    def choice(self, *names: str, of: tuple[str, ...], default: str) -> str:
        value = self.text(*names, default=default).upper()
        if value not in of and value != default:
            raise BadQuery(f"invalid {names[0]}: {value}", names[0])
        return value

    def word(self, *names: str, of: tuple[str, ...], default: str) -> str:
        """As `choice`, of words in lower case."""
        value = self.text(*names, default=default).lower()
        if value not in of and value != default:
            raise BadQuery(f"invalid {names[0]}: {value}", names[0])
        return value

    def listed(self, *names: str) -> frozenset[str]:
        return frozenset(part.strip() for part in self.text(*names).split(",") if part.strip())

    def finish(self) -> None:
        """Raises BadQuery for a parameter that nothing has read; names that begin with `_` only bust caches."""
        for name in self._given:
            if name not in self._seen and not name.startswith("_"):
                raise BadQuery(f"{_BEGINS}unknown field `{name}`", name)

    def filters(self) -> dict[str, str]:
        """All that was given but the page: what a cursor is bound to."""
        pages = ("cursor", "limit")
        return {name: value for name, value in self._given.items() if name not in pages and not name.startswith("_")}


def joined(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A query string as one text per name: repeated names become a comma-separated list."""
    found: dict[str, str] = {}
    for name, value in given:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def read_user(arguments: Arguments, *, required: bool) -> str:
    """The wallet in lower case; BadQuery where it is absent and required, or no address."""
    user = arguments.text("user", "proxy_wallet", "proxyWallet").lower()
    if not user and required:
        raise BadQuery("required query param 'user' not provided", "user")
    if user and not is_address(user):
        raise BadQuery(f"invalid user: {user}", "user")
    return user


def read_conditions(arguments: Arguments, *names: str) -> frozenset[str]:
    """Condition ids in lower case, those of protocol v2 without the zero byte that the official client puts behind them; BadQuery for
    more than twenty, or one that is none."""
    conditions = frozenset(one.lower() for one in arguments.listed(*names))
    if len(conditions) > MOST_CONDITIONS:
        raise BadQuery(f"at most {MOST_CONDITIONS} values are allowed", names[0])
    for one in conditions:
        if len(one) not in (64, 66) or not _is_hex(one):
            raise BadQuery(f"invalid {names[0]}: {one}", names[0])
    return frozenset(one[:-2] if _is_padded(one) else one for one in conditions)


def _is_padded(condition: str) -> bool:
    padded = len(condition) == 66 and condition[2:4] in ("01", "02") and condition.endswith("00")
    return padded and is_position_id(int(condition, 16))


def read_events(arguments: Arguments, *names: str) -> frozenset[str]:
    """Ids of events; BadQuery for more than twenty, or one that is no number of 32 bits."""
    events = arguments.listed(*names)
    if len(events) > MOST_CONDITIONS:
        raise BadQuery(f"at most {MOST_CONDITIONS} values are allowed", names[0])
    for one in events:
        if not one.isascii() or not one.isdecimal() or len(one) > 10 or not 0 < int(one) < 2**31:
            raise BadQuery(f"{_BEGINS}{names[0]}: invalid digit found in string", names[0])
    return events


def read_kinds(arguments: Arguments, of: tuple[str, ...]) -> frozenset[str]:
    """Kinds of activity; BadQuery for one that there is not."""
    kinds = frozenset(one.upper() for one in arguments.listed("type", "types"))
    for kind in kinds:
        if kind not in of:
            raise BadQuery(f"{_BEGINS}type: unknown variant `{kind}`, expected one of {', '.join(of)}", "type")
    return kinds


def read_window(arguments: Arguments, now_s: int) -> tuple[int, int | None]:
    """`start` and `end` in seconds: no start is three years ago, as it is on the real one; an end of 0 is none."""
    start = arguments.number("start", default=0) or max(now_s - YEARS_S, 0)
    return start, arguments.number("end", default=0) or None


def read_title(arguments: Arguments, most: int = MOST_TITLE) -> str:
    """Part of a market's question, in lower case."""
    title = arguments.text("title")
    if len(title) > most:
        raise BadQuery(f"title must be at most {most} characters", "title")
    return title.strip().lower()


def is_address(text: str) -> bool:
    return len(text) == 42 and _is_hex(text)


def _is_hex(text: str) -> bool:
    return text.startswith("0x") and all(digit in "0123456789abcdef" for digit in text[2:])
