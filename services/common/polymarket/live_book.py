"""One token's book as the market channel tells it: a whole book first, then the new total at single prices."""

from collections import deque
from dataclasses import replace
from datetime import datetime

from services.common.domain.market import Book, Level, Side
from services.common.domain.money import MICRO
from services.common.polymarket.parse.streams import LevelChange

MID_BACK_S = 5.0


class Mids:
    """The mids of one book over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, mid_micros: int | None, monotonic: float) -> None:
        """Note what the mid is now; a book without one changes nothing."""
        if mid_micros is None:
            return
        if not self._seen or self._seen[-1][1] != mid_micros:
            self._seen.append((monotonic, mid_micros))
        while len(self._seen) > 1 and self._seen[1][0] <= monotonic - MID_BACK_S:
            self._seen.popleft()

    def then(self, monotonic: float) -> int | None:
        """The mid of about five seconds ago, or the first one, where it was seen later than that; None before there was any."""
        before = (mid for at, mid in reversed(self._seen) if at <= monotonic - MID_BACK_S)
        return next(before, self._seen[0][1] if self._seen else None)


class Sparse:
    """Mids of books that are only read now and then: after a pause, what the mid was in between nobody has seen."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, Mids]] = {}

    def judged(self, book: Book, monotonic: float) -> Book:
        """The book with the mid of earlier readings that its own is judged against."""
        before, mids = self._seen.get(book.token_id, (monotonic, Mids()))
        if monotonic - before > 2 * MID_BACK_S:
            mids = Mids()
        mids.see(book.mid_micros, monotonic)
        self._seen[book.token_id] = (monotonic, mids)
        return replace(book, mid_then_micros=mids.then(monotonic))

    def later(self, book: Book, monotonic: float) -> Book:
        """A book that was judged before, as it is to be judged now that time has passed over it."""
        return replace(book, mid_then_micros=self._seen[book.token_id][1].then(monotonic))

    def forget(self, before: float) -> None:
        """Let go of what was last read before that."""
        self._seen = {token: seen for token, seen in self._seen.items() if seen[0] >= before}


class LiveBook:
    """Applies frames. `live` falls with the first one that contradicts what was built so far: then only a whole book helps."""

    def __init__(self, token_id: str) -> None:
        self._token_id = token_id
        self._sides: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._mids = Mids()
        self.live = False

    def whole(self, book: Book, monotonic: float) -> None:
        """Start from a whole book."""
        self._sides = {
            Side.BUY: {level.price_micros: level.size_micros for level in book.bids},
            Side.SELL: {level.price_micros: level.size_micros for level in book.asks},
        }
        self.live = True
        self._remember(monotonic)

    def change(self, change: LevelChange, monotonic: float) -> None:
        """Apply one change; the best prices that come with it prove that none was missed."""
        if not self.live:
            return
        side = self._sides[change.side]
        if change.size_micros:
            side[change.price_micros] = change.size_micros
        else:
            side.pop(change.price_micros, None)
        self._remember(monotonic)

    def agrees(self, change: LevelChange) -> bool:
        """Whether the best prices of the book are those that the frame's last change names."""
        bid, ask = self._best()
        named_bid, named_ask = change.best_bid_micros, change.best_ask_micros
        return (named_bid is None or named_bid == (bid or 0)) and (named_ask is None or named_ask == (ask or MICRO))

    def book(self, now: datetime, monotonic: float) -> Book:
        """The book, best first, with the mid that its own is judged against."""
        return Book(
            token_id=self._token_id,
            bids=_levels(self._sides[Side.BUY], best_high=True),
            asks=_levels(self._sides[Side.SELL], best_high=False),
            read_at=now,
            live=self.live,
            mid_then_micros=self._mids.then(monotonic),
        )

    def _best(self) -> tuple[int | None, int | None]:
        return max(self._sides[Side.BUY], default=None), min(self._sides[Side.SELL], default=None)

    def _remember(self, monotonic: float) -> None:
        bid, ask = self._best()
        self._mids.see(None if bid is None or ask is None else (bid + ask) // 2, monotonic)


def _levels(side: dict[int, int], *, best_high: bool) -> tuple[Level, ...]:
    return tuple(Level(price, side[price]) for price in sorted(side, reverse=best_high))
