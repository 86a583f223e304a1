"""What would lift copies above the venue's minimum, where a policy leaves them below."""

from collections import Counter
from collections.abc import Sequence

from services.cli.replay.report import Line, Report
from services.common.domain.follow import Policy, SizingMode
from services.common.domain.market import Side
from services.common.domain.money import BPS, MICRO, mul_div_up, text
from services.engine.sizing import LEAST_BUY_MICROS

PARTS = (80, 90, 95, 100)
"""The per cent of the buys that the advice may be for: the first that the policy does not reach."""


def too_small(report: Report) -> int:
    """How many buys were refused because their copy would have been below the venue's minimum."""
    return report.refusals.get(("sizing", "below_minimum"), Counter[Side]())[Side.BUY]


def advice(report: Report, policy: Policy, min_size_micros: int) -> str:
    """One sentence with the figure of the policy at which more buys reach the minimum; empty where none was too small."""
    small, buys = too_small(report), report.sides[Side.BUY].fills
    if not small:
        return ""
    part = next((part for part in PARTS if (buys - small) * 100 < buys * part), PARTS[-1])
    setting = _setting(report, policy, min_size_micros, part)
    return (
        f"{small} of {buys} buys were too small for the venue ({text(min_size_micros)} shares, $1): "
        f"{setting} would lift {part} % of them above it, raise_to_minimum all that the caps allow."
    )


def _setting(report: Report, policy: Policy, min_size_micros: int, part: int) -> str:
    buys = [line for line in report.lines if line.trade.side is Side.BUY]
    least = [_least(line, min_size_micros) for line in buys]
    if policy.mode is SizingMode.FIXED:
        return f"fixed_usdc = {text(_enough(least, part))}"
    ratios = [mul_div_up(needed, BPS, max(line.trade.usdc_micros, 1)) for needed, line in zip(least, buys, strict=True)]
    ratio = _enough(ratios, part)
    if policy.mode is SizingMode.PROPORTIONAL:
        return f"bankroll_usdc = {text(mul_div_up(policy.leader_bankroll_micros, ratio, BPS))}"
    return f"{'a tier of ' if policy.mode is SizingMode.TIERED else ''}ratio_bps = {ratio}"


def _least(line: Line, min_size_micros: int) -> int:
    """The least notional of a copy at the leader's price."""
    return max(LEAST_BUY_MICROS, mul_div_up(min_size_micros, line.trade.price_micros, MICRO))


def _enough(figures: Sequence[int], part: int) -> int:
    """What is enough for `part` per cent of these."""
    return sorted(figures)[-(-len(figures) * part // 100) - 1]
