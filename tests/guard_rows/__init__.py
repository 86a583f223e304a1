"""Every guard at its bound and one step beyond it, by family."""

from tests.guard_rows import exits, exposure, flow, identity, market, money, price, size
from tests.guard_rows.row import Row

ROWS: list[Row] = [
    *identity.ROWS,
    *market.ROWS,
    *price.ROWS,
    *size.ROWS,
    *exposure.ROWS,
    *money.ROWS,
    *flow.ROWS,
    *exits.ROWS,
]
IDS = [f"{guard}: {bound}" for guard, bound, *_ in ROWS]
