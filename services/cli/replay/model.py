"""What a recording does not say, and what stands in for it: every such fact is an option, and the report lists them all."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.common.domain.market import Book, Fee, Level, Side
from services.common.domain.money import MICRO, mul_div_up, text

NEVER = datetime.min.replace(tzinfo=UTC)
"""When a modelled book was read, until someone reads it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One modelled fact: its name, how it was modelled, and the options that change it (empty where none does)."""

    name: str
    how: str
    options: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """The facts that are modelled. Prices and sizes in millionths, the spread in ticks."""

    tick_micros: int = 10_000
    spread_ticks: int = 1
    depth_micros: int = 5_000_000_000
    levels: int = 5
    delay: timedelta = timedelta(seconds=1)
    settles_after: timedelta = timedelta(seconds=4)
    ends_after: timedelta = timedelta(hours=24)
    fee: Fee = field(default_factory=lambda: Fee(0))
    min_size_micros: int = 5_000_000

    def facts(self) -> Iterator[Fact]:
        """Each modelled fact."""
        depth, tick = text(self.depth_micros), text(self.tick_micros)
        yield Fact(
            "book",
            f"around the market's last recorded fill, {self.levels} prices {tick} apart; we do not wear it down",
            "--tick, --levels",
        )
        yield Fact("spread", f"{self.spread_ticks} tick(s) of {tick}", "--spread-ticks")
        yield Fact("depth", f"{depth} shares at each price", "--depth-shares")
        yield Fact(
            "delay",
            f"{_seconds(self.delay)} from the leader's fill to our seeing it; fills of one second 1 ms apart",
            "--delay-ms",
        )
        yield Fact(
            "settlement",
            f"{_seconds(self.settles_after)} from a match to the finalized block, every match is settled",
            "--settle-ms",
        )
        yield Fact(
            "end date",
            f"{self.ends_after // timedelta(hours=1)} h after the market's last recorded fill",
            "--end-hours",
        )
        yield Fact(
            "fee", f"rate {text(self.fee.rate_micros)} of p·(1−p)" if self.fee.rate_micros else "none", "--fee-bps"
        )
        yield Fact("minimum", f"{text(self.min_size_micros)} shares, and $1 for a buy", "--min-shares")
        yield Fact("protocol", "binary markets of the first token protocol, not neg-risk, accepting orders")
        yield Fact("counterparty", "nobody of ours: this account has never traded")
        yield Fact("balance", "the leader starts with nothing: what he held before the recording is not known")

    def books(self, token_id: str, complement: str, side: Side, price_micros: int) -> tuple[Book, Book]:
        """The books of both outcomes after a fill at this price: its side of the book is where the fill was."""
        tick, spread = self.tick_micros, self.spread_ticks * self.tick_micros
        if side is Side.BUY:
            ask = mul_div_up(price_micros, 1, tick) * tick
            bid = ask - spread
        else:
            bid = price_micros // tick * tick
            ask = bid + spread
        return self._book(token_id, bid, ask), self._book(complement, MICRO - ask, MICRO - bid)

    def _book(self, token_id: str, bid: int, ask: int) -> Book:
        return Book(token_id, self._side(bid, -self.tick_micros), self._side(ask, self.tick_micros), NEVER)

    def _side(self, best: int, step: int) -> tuple[Level, ...]:
        prices = (best + step * number for number in range(self.levels))
        return tuple(Level(price, self.depth_micros) for price in prices if 0 < price < MICRO)


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"
