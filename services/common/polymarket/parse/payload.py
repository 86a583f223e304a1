"""Strict reading of JSON that others wrote: exact numbers, and one named error for every shape that is not known."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NoReturn, cast

import orjson

from services.common.domain.dead_letter import DeadLetter
from services.common.domain.market import Side
from services.common.domain.money import MICRO, InexactAmount, micros, micros_floor

BODY_LIMIT = 4_096
EPOCH_MS_FROM = 10**11
LARGEST_EXPONENT = 78
DEEPEST = 12
_SECRETS = frozenset({"secret", "passphrase", "apikey", "owner", "signature", "trade_owner", "order_owner"})


class UnknownPayload(Exception):
    """A payload that no parser knows. `source` names the parser, `reason` what it missed, `shape` each field's type."""

    def __init__(self, source: str, reason: str, payload: object) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.payload = payload

    @property
    def shape(self) -> Mapping[str, str]:
        return shape_of(self.payload)


def decode(source: str, text: str | bytes) -> object:
    """JSON with every fraction as Decimal; raises `UnknownPayload` for what is no JSON, NaN and infinities included."""
    try:
        orjson.loads(text)  # bounds the depth, at which the next parser can end the process
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raw = text if isinstance(text, str) else text.decode(errors="replace")
        raise UnknownPayload(source, f"not JSON: {type(error).__name__}", raw) from error


def dead_letter(source: str, payload: object, error: UnknownPayload, now: datetime) -> DeadLetter:
    """The letter for a payload; equal shapes with the same reason are one letter. Secrets are blanked in its body."""
    shape = shape_of(payload)
    digest = hashlib.sha256(json.dumps([source, error.reason, sorted(shape.items())]).encode()).hexdigest()
    body = payload if isinstance(payload, str) else json.dumps(_blanked(payload), default=str, separators=(",", ":"))
    return DeadLetter(digest, source, error.reason, shape, body[:BODY_LIMIT], now)


def shape_of(payload: object, path: str = "$", depth: int = 0) -> dict[str, str]:
    """Each field's path and the name of its type; of a list, its first element."""
    shape = {path: type(payload).__name__}
    if depth == DEEPEST:
        return shape
    if isinstance(payload, dict):
        for name, value in cast(dict[str, object], payload).items():
            shape |= shape_of(value, f"{path}.{name}", depth + 1)
    elif isinstance(payload, list) and payload:
        shape |= shape_of(cast(list[object], payload)[0], f"{path}[]", depth + 1)
    return shape


class Fields:
    """One JSON object under the eyes of one parser. Every reader raises `UnknownPayload` with the field's name."""

    __slots__ = ("source", "value")

    def __init__(self, source: str, value: object) -> None:
        if not isinstance(value, dict):
            raise UnknownPayload(source, "not an object", value)
        self.source = source
        self.value = cast(dict[str, object], value)

    def __contains__(self, name: str) -> bool:
        return name in self.value

    def fail(self, reason: str) -> NoReturn:
        raise UnknownPayload(self.source, reason, self.value)

    def text(self, name: str, default: str | None = None) -> str:
        """A string; absent and null are `default`."""
        value = self.value.get(name)
        if value is None and default is not None:
            return default
        return value if isinstance(value, str) else self.fail(f"{name}: not a text")

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self.value.get(name)
        if value is None and default is not None:
            return default
        return value if isinstance(value, bool) else self.fail(f"{name}: not a flag")

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number, written as a number or as digits."""
        if self.value.get(name) is None and default is not None:
            return default
        number = self.number(name)
        return int(number) if number == number.to_integral_value() else self.fail(f"{name}: not whole")

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """A finite number, written as a number or as a decimal string."""
        value = self.value.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            self.fail(f"{name}: not a number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"{name}: not a number")
        if not number.is_finite() or number.adjusted() > LARGEST_EXPONENT:
            self.fail(f"{name}: not finite, or larger than a uint256")
        return number

    def micros(self, name: str, default: int | None = None) -> int:
        """An exact amount in millionths: more than six decimals are an unknown payload."""
        if self.value.get(name) is None and default is not None:
            return default
        try:
            return micros(self.number(name))
        except InexactAmount:
            self.fail(f"{name}: more than six decimals")

    def micros_nearest(self, name: str) -> int:
        """An amount that a feed has sent through a float: the nearest millionth."""
        return nearest_micros(self.number(name))

    def micros_floor(self, name: str) -> int:
        """An amount that a feed has rounded: never more than it says."""
        return micros_floor(self.number(name))

    def side(self, name: str) -> Side:
        try:
            return Side(self.text(name).upper())
        except ValueError:
            self.fail(f"{name}: neither BUY nor SELL")

    def digits(self, name: str) -> str:
        """A token id: the decimal digits of a uint256."""
        value = self.text(name)
        return value if value.isascii() and value.isdecimal() else self.fail(f"{name}: not a token id")

    def hex(self, name: str, size: int) -> str:
        """Lower-case 0x-hex of exactly `size` bytes."""
        value = self.text(name).lower()
        return value if is_hex(value, size) else self.fail(f"{name}: not {size} bytes of hex")

    def condition(self, name: str) -> str:
        """A condition id, lower-case 0x-hex: 32 bytes of the CTF's, 31 of a position's (venue.md 12)."""
        value = self.text(name).lower()
        known = is_hex(value, 32) or is_hex(value, 31)
        return value if known else self.fail(f"{name}: not 32 or 31 bytes of hex")

    def address(self, name: str) -> str:
        return self.hex(name, 20)

    def epoch(self, name: str) -> datetime:
        """An instant as seconds or milliseconds since 1970, told apart by their size (venue.md 5.2)."""
        return self._instant(name, self.integer(name))

    def _instant(self, name: str, value: int) -> datetime:
        try:
            return datetime.fromtimestamp(value / 1000 if value >= EPOCH_MS_FROM else value, UTC)
        except (OverflowError, OSError, ValueError):
            self.fail(f"{name}: not an instant")

    def iso(self, name: str) -> datetime | None:
        """An ISO-8601 instant with a zone; None where absent, null or empty."""
        value = self.text(name, "")
        if not value:
            return None
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{name}: not an instant")
        return instant.astimezone(UTC) if instant.tzinfo else self.fail(f"{name}: no time zone")

    def items(self, name: str, default: bool = False) -> list[object]:
        """A list; absent and null are empty only where `default` says so."""
        value = self.value.get(name)
        if value is None and default:
            return []
        return cast(list[object], value) if isinstance(value, list) else self.fail(f"{name}: not a list")

    def objects(self, name: str, default: bool = False) -> Iterator["Fields"]:
        return (Fields(self.source, item) for item in self.items(name, default))

    def texts(self, name: str, default: bool = False) -> tuple[str, ...]:
        values = self.items(name, default)
        if not all(isinstance(value, str) for value in values):
            self.fail(f"{name}: not a list of texts")
        return tuple(cast(list[str], values))


def is_hex(value: str, size: int) -> bool:
    """Whether this is 0x-hex of `size` bytes."""
    digits = value[2:]
    return value.startswith("0x") and len(digits) == 2 * size and all(c in "0123456789abcdef" for c in digits.lower())


def nearest_micros(value: Decimal) -> int:
    """The nearest millionth."""
    return int((value * MICRO).to_integral_value(rounding=ROUND_HALF_EVEN))


def objects(source: str, payload: object) -> Iterator[Fields]:
    """The objects of a bare list."""
    if not isinstance(payload, list):
        raise UnknownPayload(source, "not a list", payload)
    return (Fields(source, item) for item in cast(list[object], payload))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _blanked(payload: object, depth: int = 0) -> object:
    if depth == DEEPEST and isinstance(payload, dict | list):
        return "…"
    if isinstance(payload, dict):
        known = cast(dict[str, object], payload)
        return {
            name: "***" if name.lower() in _SECRETS else _blanked(value, depth + 1) for name, value in known.items()
        }
    if isinstance(payload, list):
        return [_blanked(item, depth + 1) for item in cast(list[object], payload)]
    return payload
