"""A request's body, read strictly: what is not there, or not of its kind, is refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from eth_utils.address import is_hex_address, to_checksum_address

from services.venue.digits import whole
from services.venue.refusals import Refusal

LARGEST = 2**256 - 1
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, body: object, name: str = "body") -> Fields:
        if not isinstance(body, dict):
            raise invalid(name)
        return cls(cast(Mapping[str, Any], body))

    def inner(self, name: str) -> Fields:
        return Fields.of(self.values.get(name), name)

    def items(self, name: str, most: int) -> list[Fields]:
        """Between one and `most` objects."""
        listed = self.values.get(name)
        if not isinstance(listed, list) or not 1 <= len(cast(list[object], listed)) <= most:
            raise invalid(name)
        return [Fields.of(one, name) for one in cast(list[object], listed)]

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str):
            raise invalid(name)
        return value

    def whole(self, name: str, most: int = LARGEST) -> int:
        """A number as the relayer takes it: decimal digits in a string."""
        number = whole(self.text(name), most)
        if number is None:
            raise invalid(name)
        return number

    def address(self, name: str) -> str:
        """Checksummed."""
        value = self.text(name)
        if not is_hex_address(value):
            raise invalid(name)
        return to_checksum_address(value)

    def data(self, name: str, most: int) -> bytes:
        value = self.text(name)
        if not _DATA.fullmatch(value) or len(value) > 2 + 2 * most:
            raise invalid(name)
        return bytes.fromhex(value[2:])


def invalid(name: str) -> Refusal:
    return Refusal(f"invalid request: {name}")
