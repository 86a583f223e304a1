"""The table of limits in a configuration file: each figure by its name there, in its unit, held to what makes sense."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from services.common.domain.account import Limits
from services.common.domain.money import MICRO, micros

MOST = 10**18
"""No figure is larger, in millionths or whole: it has to fit the database's integers."""


class NotLimits(ValueError):
    """The table cannot be used; `problems` has one line for each thing wrong, with its name in the table."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_limits(table: dict[str, Any], base: Limits) -> Limits:
    """`base` with the table's figures; raises `NotLimits` with everything that is wrong."""
    names, problems, figures = _names(), list[str](), dict[str, int]()
    for name, value in table.items():
        try:
            figures[names[name]] = _figure(names[name], value)
        except KeyError:
            problems.append(f"{name}: not a limit")
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise NotLimits(problems)
    return _sensible(replace(base, **figures))


def number(value: Any) -> Decimal:
    """A figure as it is written in a file."""
    try:
        return Decimal(str(value))
    except ArithmeticError as error:
        raise ValueError("expected a number") from error


def _names() -> dict[str, str]:
    """Each limit's name in the file (money without its unit: `max_order_usdc`, `max_price`) and its field."""
    names: dict[str, str] = {}
    for name in (field.name for field in fields(Limits)):
        plain = name.removesuffix("_micros")
        in_usdc = name.endswith("_micros") and not name.endswith(("_price_micros", "_shares_micros"))
        names[f"{plain}_usdc" if in_usdc else plain] = name
    return names


def _figure(field: str, value: Any) -> int:
    if field.endswith("_micros"):
        figure = _micros(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        figure = value
    else:
        raise ValueError("expected a whole number")
    if not 0 <= figure <= MOST:
        raise ValueError("expected 0 or more" if figure < 0 else "too large")
    return figure


def _micros(value: Any) -> int:
    try:
        return micros(number(value))
    except ValueError as error:
        raise ValueError("expected a number with at most six decimals") from error


def _sensible(made: Limits) -> Limits:
    problems: list[str] = []
    if not made.min_price_micros < made.max_price_micros <= MICRO:
        problems.append("min_price, max_price: expected a band within 0 to 1")
    if made.send_budget_ms >= made.intent_lifetime_ms:
        problems.append("send_budget_ms: expected less than intent_lifetime_ms")
    if problems:
        raise NotLimits(problems)
    return made
