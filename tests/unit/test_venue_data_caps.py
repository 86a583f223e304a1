"""Version 1 of the Data API gives at most so many rows at once, however many are asked for and there are."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest

from services.venue.data.holdings import Holding
from services.venue.data.positions import Position
from services.venue.data.query import Arguments, Query
from services.venue.data.v1 import VersionOne
from services.venue.model import Market

WALLET, TOKEN, CONDITION = "0x" + "1d" * 20, "71", "0x" + "0c" * 32
MARKET = Market(CONDITION, "Q?", "q", "q", "9", ("Yes", "No"), (TOKEN, "72"), 10_000, 5_000_000, Decimal(0), 0)
SHARE = 1_000_000
PLENTY = 10_500


class Full:
    """A feed and a portfolio that have more than anybody is given."""

    def __init__(self, shares_micros: int) -> None:
        holding = Holding(TOKEN, CONDITION, shares_micros)
        one = Position(WALLET, "", MARKET, holding, shares_micros, 500_000, resolved=False, mergeable=False)
        self._held = [one] * PLENTY

    async def of(self, _: str) -> list[Position]:
        return self._held

    async def find(self, _: Query) -> Iterator[int]:
        return iter(range(PLENTY))

    def written(self, entry: int) -> int:
        return entry

    activity = trade = written


@pytest.mark.parametrize(
    ("path", "shares", "most"),
    [
        ("activity", 0, 500),
        ("trades", 0, 10_000),
        ("positions", 9 * SHARE, 500),
        ("closed_positions", 0, 50),
    ],
)
async def test_a_limit_beyond_the_cap_of_version_one_gives_what_the_cap_gives(path: str, shares: int, most: int):
    full = cast(Any, Full(shares))
    version = VersionOne(full, full, cast(Any, None), lambda: 0)

    found = {}
    for limit in (most - 1, most, most + 1, 10**9):
        asked = Arguments({"user": WALLET, "limit": str(limit)})
        found[limit] = len(await getattr(version, path)(asked))
        asked.finish()

    assert found == {most - 1: most - 1, most: most, most + 1: most, 10**9: most}
