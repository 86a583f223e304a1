"""A book that is built from frames, and knows when one was missed."""

from dataclasses import replace

from services.common.domain.market import Book, Level, Side
from services.common.polymarket.live_book import LiveBook
from services.common.polymarket.parse.streams import LevelChange
from tests.builders import NOON, TOKEN

BOOK = Book(TOKEN, (Level(490_000, 10), Level(480_000, 20)), (Level(500_000, 30), Level(510_000, 40)), NOON)


def a_change(side: Side, price: int, size: int, bid: int | None = None, ask: int | None = None) -> LevelChange:
    return LevelChange(TOKEN, side, price, size, bid, ask)


def a_book(at: float = 0.0) -> LiveBook:
    book = LiveBook(TOKEN)
    book.whole(BOOK, at)
    return book


def test_a_book_lists_the_best_first_and_is_live_once_it_is_whole() -> None:
    assert not LiveBook(TOKEN).live

    assert a_book().book(NOON, 0.0) == replace(BOOK, mid_then_micros=495_000)


def test_a_change_sets_the_total_at_its_price_and_zero_removes_the_level() -> None:
    book = a_book()

    book.change(a_change(Side.BUY, 495_000, 7), 1.0)
    book.change(a_change(Side.SELL, 500_000, 0), 1.0)

    seen = book.book(NOON, 1.0)
    assert (seen.bids[0], seen.asks[0]) == (Level(495_000, 7), Level(510_000, 40))


def test_best_prices_that_differ_betray_a_missed_frame() -> None:
    book = a_book()

    assert book.agrees(a_change(Side.BUY, 480_000, 1, bid=490_000, ask=500_000))
    assert not book.agrees(a_change(Side.BUY, 480_000, 1, bid=491_000, ask=500_000))


def test_an_empty_side_is_named_zero_or_a_whole_dollar() -> None:
    book = LiveBook(TOKEN)
    book.whole(Book(TOKEN, (), (), NOON), 0.0)

    assert book.agrees(a_change(Side.BUY, 480_000, 0, bid=0, ask=1_000_000))


def test_the_mid_is_judged_against_that_of_five_seconds_ago_or_the_first_that_was_seen() -> None:
    book = a_book(at=10.0)
    book.change(a_change(Side.BUY, 496_000, 5), 12.0)

    assert book.book(NOON, 14.0).mid_then_micros == 495_000
    assert book.book(NOON, 15.5).mid_then_micros == 495_000
    assert book.book(NOON, 17.5).mid_then_micros == 498_000


def test_a_book_that_never_had_a_mid_has_none_to_be_judged_against() -> None:
    book = LiveBook(TOKEN)
    book.whole(Book(TOKEN, (Level(490_000, 10),), (), NOON), 0.0)

    assert book.book(NOON, 9.0).mid_then_micros is None
