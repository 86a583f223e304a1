"""What is not settled about the real CLOB, or changes there, as switches: `/admin/clob` turns them (venue.md 10, 11)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from services.venue.refusals import Refusal


class Ended(StrEnum):
    """What `/data/order/{id}` answers of an order that has ended, or never was."""

    NULL = "null"
    OBJECT = "object"
    NOT_FOUND = "not_found"
    EMPTY = "empty"


class Spelling(StrEnum):
    """How statuses of orders and trades are written: LIVE, or ORDER_STATUS_LIVE."""

    PLAIN = "plain"
    PREFIXED = "prefixed"


class Amounts(StrEnum):
    """How making and taking amounts are written: as decimals, or in millionths."""

    DECIMAL = "decimal"
    MICROS = "micros"


class Reasons(StrEnum):
    """Why an order that has ended is not cancelled: in one text for both ends, or in one for each."""

    JOINT = "joint"
    PRECISE = "precise"


class Killed(StrEnum):
    """How a marketable order that finds nothing, or not enough, is answered: refused, or taken and unmatched without an id."""

    REFUSED = "refused"
    UNMATCHED = "unmatched"


class Allowances(StrEnum):
    """How a balance tells what may be taken of it: by each exchange, or one figure (of the exchange that is named first)."""

    PLURAL = "plural"
    SINGULAR = "singular"


@dataclass(frozen=True, slots=True)
class Tuning:
    """`matched_lag_ms` is how late `size_matched` follows the matches of an order, `trades_lag_ms` how late they are listed."""

    ended: Ended = Ended.NULL
    statuses: Spelling = Spelling.PLAIN
    amounts: Amounts = Amounts.DECIMAL
    reasons: Reasons = Reasons.JOINT
    killed: Killed = Killed.REFUSED
    allowances: Allowances = Allowances.PLURAL
    matched_lag_ms: int = 0
    trades_lag_ms: int = 0

    def changed(self, wanted: dict[str, Any]) -> Tuning:
        """With these switches turned. Raises `Refusal` for one that is not there, and for a value that it does not take."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise Refusal(f"{name}: expected one of {', '.join(known)}")
            known[name] = _read(name, value, known[name])
        return replace(self, **known)

    def told(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _read(name: str, value: object, now: StrEnum | int) -> StrEnum | int:
    if isinstance(now, StrEnum):
        kinds = type(now)
        if value not in list(kinds):
            raise Refusal(f"{name}: expected one of {', '.join(kinds)}")
        return kinds(str(value))
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refusal(f"{name}: expected a whole number, 0 or more")
    return value
