"""What a token is worth now, by its book. Pure; a book that is not sound gives no price."""

from services.common.domain.account import Limits
from services.common.domain.market import Book, Market


def mark_micros(book: Book | None, market: Market | None, limits: Limits) -> int | None:
    """The mid of a live book whose spread is no wider than an entry may meet; None where that is not known."""
    if book is None or market is None or not book.live:
        return None
    bid, ask, mid = book.best_bid_micros, book.best_ask_micros, book.mid_micros
    if bid is None or ask is None or not 0 <= ask - bid <= limits.max_spread_ticks * market.tick_micros:
        return None
    return mid


def reference_micros(book: Book | None, market: Market | None, limits: Limits) -> int | None:
    """What a sale that no leader has made before us is held against: the mark, or where the spread is wide the best bid."""
    mark = mark_micros(book, market, limits)
    return mark if mark is not None or book is None else book.best_bid_micros
