"""What a fault may say besides its kind: how each value is read, and what is expected where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

MOST = 2**53 - 1

Value = int | str | Mapping[str, str]


class BadFault(ValueError):
    """A fault that makes no sense; the text names the field and the expectation."""


class Field(Protocol):
    """One value of a fault."""

    @property
    def default(self) -> Value: ...

    def read(self, name: str, value: object) -> Value:
        """The value as it was written. Raises `BadFault`."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    default: int = 0
    low: int = 0
    high: int = MOST

    def read(self, name: str, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return value
        bounds = f", {self.low} or more" if self.high == MOST else f" from {self.low} to {self.high}"
        raise BadFault(f"{name}: expected a whole number{bounds}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; the first is meant where none is written."""

    words: tuple[str, ...]

    @property
    def default(self) -> str:
        return self.words[0]

    def read(self, name: str, value: object) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise BadFault(f"{name}: expected one of {', '.join(word or 'nothing' for word in self.words)}")


@dataclass(frozen=True, slots=True)
class Text:
    """A text that can stand in a header."""

    default: str = ""

    def read(self, name: str, value: object) -> str:
        if isinstance(value, str) and _is_header(value):
            return value
        raise BadFault(f"{name}: expected a text of printable ASCII")


@dataclass(frozen=True, slots=True)
class CloseCode:
    """A code that a WebSocket may be closed with."""

    default: int = 1011

    def read(self, name: str, value: object) -> int:
        code = Whole(self.default, 1000, 4999).read(name, value)
        if code in (1004, 1005, 1006) or 1015 <= code < 3000:
            raise BadFault(f"{name}: expected a code that may be sent: 1000 to 1003, 1007 to 1014 or 3000 to 4999")
        return code


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers of an answer, by name."""

    @property
    def default(self) -> Mapping[str, str]:
        return {}

    def read(self, name: str, value: object) -> Mapping[str, str]:
        if isinstance(value, dict):
            found = cast(dict[object, object], value)
            pairs = {key: text for key, text in found.items() if isinstance(key, str) and isinstance(text, str)}
            if len(pairs) == len(found) and all(_is_header(key) and _is_header(text) for key, text in pairs.items()):
                return pairs
        raise BadFault(f"{name}: expected names and values of headers, both printable ASCII")


def _is_header(text: str) -> bool:
    return text.isascii() and text.isprintable()
