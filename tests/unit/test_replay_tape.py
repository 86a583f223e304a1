"""How a recording becomes what is played: its order, its repeats, its markets, and the chain that it leaves behind."""

from datetime import timedelta

import pytest

from services.cli.replay.model import Model
from services.cli.replay.tape import STEPS, merged, receipts, record
from services.common.domain.market import Side
from tests.replay_world import LEADER, NO, OTHER_LEADER, SHARE, YES, a_redemption, a_row, rows

EXCHANGE = "0x" + "e" * 40


def shares(tape) -> list[int]:
    return [one.trade.shares_micros // SHARE for one in tape.played]


def test_seconds_go_forward_and_rows_of_one_second_keep_the_files_order():
    newest_first = rows(
        a_row(shares=5, second=9), a_row(shares=3, second=4), a_row(shares=4, second=4), a_row(shares=1)
    )

    tape = record(newest_first, Model())

    assert shares(tape) == [1, 3, 4, 5]
    assert [one.at for one in tape.played] == sorted(one.at for one in tape.played)
    places = [(one.trade.block_number, one.trade.log_index) for one in tape.played]
    assert places == sorted(set(places))


def test_a_second_with_more_fills_than_it_has_milliseconds_ends_before_the_next():
    burst = [a_row(shares=number + 1) for number in range(STEPS + 50)]

    tape = record(rows(*burst, a_row(shares=9_999, second=1)), Model())

    assert shares(tape) == [*range(1, STEPS + 51), 9_999]
    assert [one.at for one in tape.played] == sorted(one.at for one in tape.played)


def test_exact_repeats_are_fills_of_their_own():
    row = a_row()

    tape = record(rows(row, row, a_row(), row), Model())

    assert (len(tape.played), tape.repeats) == (4, 2)
    assert len({one.trade.key for one in tape.played}) == 4
    assert len({one.trade.order_hash for one in tape.played}) == 4


def test_rows_that_are_no_fills_are_counted_by_their_kind_and_not_played():
    tape = record(rows(a_redemption(5), a_row(), a_redemption(6), a_row("", type="MAKER_REBATE")), Model())

    assert len(tape.played) == 1
    assert tape.others == {"REDEEM": 2, "MAKER_REBATE": 1}


def test_rows_that_two_files_share_count_once_and_repeats_within_one_stay():
    first, second, third = a_row(), a_row(second=1), a_row(second=2)
    both = merged([rows(first, first, second), rows(first, second, third)])

    assert sorted(both, key=lambda row: row.traded_at) == list(rows(first, first, second, third))


def test_the_same_row_of_two_leaders_is_two_fills():
    mine, his = a_row(transactionHash="0x" + "a" * 64), a_row(transactionHash="0x" + "a" * 64, proxyWallet=OTHER_LEADER)

    tape = record(merged([rows(mine), rows(his)]), Model())

    assert [one.trade.leader for one in tape.played] == [LEADER, OTHER_LEADER]
    assert tape.leaders == (LEADER, OTHER_LEADER)


@pytest.mark.parametrize(
    ("sales", "moved"),
    [([5, 5], [5, 5]), ([15, 15], [15, 5]), ([50], [20]), ([20, 1], [20, 0])],
    ids=["less than he has", "more than is left", "more than he was seen to buy", "after all of it"],
)
def test_a_leader_gives_away_no_more_than_he_was_seen_to_buy(sales, moved):
    sold = [a_row("SELL", size, second) for second, size in enumerate(sales, start=1)]
    tape = record(rows(a_row(shares=20), *sold), Model())

    transfers = [move for receipt in receipts(tape, EXCHANGE) for move in receipt.transfers]

    assert [move.shares_micros // SHARE for move in transfers if move.sender == LEADER] == moved


def test_one_transaction_with_several_fills_is_one_receipt():
    same = {"transactionHash": "0x" + "a" * 64}
    tape = record(rows(a_row(**same), a_row(shares=7, **same), a_row(asset=NO, outcomeIndex=1, **same)), Model())

    (receipt,) = receipts(tape, EXCHANGE)

    assert [(move.token_id, move.shares_micros // SHARE) for move in receipt.transfers] == [
        (YES, 20),
        (YES, 7),
        (NO, 20),
    ]


def test_a_market_ends_so_long_after_its_last_fill_and_is_on_the_modelled_grid():
    model = Model(ends_after=timedelta(hours=2), tick_micros=1_000, min_size_micros=1)
    tape = record(rows(a_row(second=100), a_row(second=7)), model)

    (market,) = tape.markets.values()
    assert market.ends_at == tape.played[-1].trade.traded_at + timedelta(hours=2)
    assert (market.tick_micros, market.min_size_micros, market.event_id) == (1_000, 1, "weather")


@pytest.mark.parametrize(("index", "place"), [(0, 0), (1, 1)])
def test_the_outcome_that_was_never_traded_gets_a_token_of_its_own(index, place):
    tape = record(rows(a_row(outcomeIndex=index)), Model())
    (market,) = tape.markets.values()

    assert market.tokens[place].token_id == YES
    assert market.complement(YES) not in {None, "", YES}
    assert market.complement(YES) == next(
        iter(record(rows(a_row(outcomeIndex=index)), Model()).markets.values())
    ).complement(YES)


def test_a_redemption_ends_a_market_unless_fills_follow_it():
    tape = record(rows(a_row(), a_redemption(60), a_row(second=90, conditionId="0x" + "d" * 64, asset=NO)), Model())
    later = record(rows(a_row(), a_redemption(60), a_row(second=90)), Model())

    first, last = tape.played[0].trade.traded_at, later.played[-1].trade.traded_at
    assert tape.over == {"0x" + "c" * 64: first + timedelta(seconds=60)}
    assert later.over == {"0x" + "c" * 64: last + timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("side", "price", "bid", "ask"),
    [
        (Side.BUY, 500_000, 490_000, 500_000),
        (Side.SELL, 500_000, 500_000, 510_000),
        (Side.BUY, 433_333, 430_000, 440_000),
    ],
)
def test_the_book_lies_around_the_fill_and_its_complement_mirrors_it(side, price, bid, ask):
    book, complement = Model(levels=2).books(YES, NO, side, price)

    assert (book.best_bid_micros, book.best_ask_micros) == (bid, ask)
    assert (complement.best_bid_micros, complement.best_ask_micros) == (1_000_000 - ask, 1_000_000 - bid)
    assert [level.price_micros for level in book.asks] == [ask, ask + 10_000]
    assert all(level.size_micros == 5_000 * SHARE for level in (*book.bids, *book.asks))


def test_a_book_at_the_end_of_the_prices_has_no_level_outside_them():
    book, complement = Model().books(YES, NO, Side.BUY, 990_000)

    assert [level.price_micros for level in book.asks] == [990_000]
    assert [level.price_micros for level in complement.bids] == [10_000]
