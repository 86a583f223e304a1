"""The table of limits in a configuration file: each figure by its name there, in its unit, held to what makes sense."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from services.common.domain.account import Limits
from services.common.domain.money import BPS, MICRO, micros, text

MOST = 10**18
"""No figure is larger, in millionths or whole: it has to fit the database's integers."""


MAY_BE_ZERO = frozenset(
    {
        "max_clock_ahead_ms",
        "min_time_to_end_ms",
        "max_spread_ticks",
        "min_price_micros",
        "max_mid_jump_bps",
        "max_collar_bps",
        "min_collar_ticks",
        "max_fee_bps",
        "send_budget_ms",
    }
)
"""With any other limit at zero nothing would ever be traded: that is said by stopping or pausing."""

OF_THE_WHOLE = frozenset({"max_exposure_bps", "max_drawdown_bps", "max_collar_bps", "max_fee_bps", "max_mid_jump_bps"})
"""Parts of something, in basis points: no more than the whole of it."""


class NotLimits(ValueError):
    """The table cannot be used; `problems` has one line for each thing wrong, with its name in the table."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_limits(table: dict[str, Any], base: Limits) -> Limits:
    """`base` with the table's figures; raises `NotLimits` with everything that is wrong."""
    return replace(base, **read_figures(table, base))


def read_figures(table: dict[str, Any], base: Limits) -> dict[str, int]:
    """The table's figures by field; raises `NotLimits` with everything that is wrong, also together with the others of `base`."""
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
    _held_to_sense(replace(base, **figures))
    return figures


def write_figures(figures: Mapping[str, int]) -> dict[str, str]:
    """Figures by field as the table has them: by name there, in its unit."""
    names = {field: name for name, field in _names().items()}
    return {
        names[field]: text(figure) if field.endswith("_micros") else str(figure) for field, figure in figures.items()
    }


def written(figures: Mapping[str, str]) -> dict[str, Any]:
    """A table whose figures came as text, as programs send them, in the kinds that a file would have."""
    counts = {name for name, field in _names().items() if not field.endswith("_micros")}
    return {
        name: int(figure) if name in counts and figure.lstrip("-").isdecimal() and figure.isascii() else figure
        for name, figure in sorted(figures.items())
    }


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
    least = 0 if field in MAY_BE_ZERO else 1
    if figure < least:
        raise ValueError("must be 0 or more" if least == 0 else "must be above 0")
    if field in OF_THE_WHOLE and figure > BPS:
        raise ValueError(f"must be {BPS} at most")
    if figure > MOST:
        raise ValueError("too large")
    return figure


def _micros(value: Any) -> int:
    try:
        return micros(number(value))
    except ValueError as error:
        raise ValueError("expected a number with at most six decimals") from error


def _held_to_sense(made: Limits) -> None:
    problems: list[str] = []
    if not made.min_price_micros < made.max_price_micros <= MICRO:
        problems.append("min_price, max_price: expected a band within 0 to 1")
    if made.send_budget_ms >= made.intent_lifetime_ms:
        problems.append("send_budget_ms: expected less than intent_lifetime_ms")
    if problems:
        raise NotLimits(problems)
