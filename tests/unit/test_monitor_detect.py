"""From a receipt to the fills of leaders, and from a fill to one copy for every follow."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.copy import AT_ONCE, CopyKind
from services.common.domain.follow import FollowState
from services.common.domain.market import Side
from services.common.domain.trade import Role, trade_key
from services.common.ports.chain import OrderFilled, Receipt
from services.monitor import detect
from tests.builders import LEADER, NOON, a_follow, a_trade
from tests.builders_case import a_market
from tests.monitor_world import CHAIN_ID, OTHER_ACCOUNT, SHARE, STRANGER, a_fill

TX = "0x" + "A" * 64


def a_receipt(*fills: OrderFilled, ok: bool = True) -> Receipt:
    return Receipt(TX, 100, "0xb", NOON, ok, fills, ())


def trades(*fills: OrderFilled, ok: bool = True):
    return detect.trades(a_receipt(*fills, ok=ok), {LEADER}, CHAIN_ID)


def test_a_fill_of_a_leader_is_a_trade_by_its_order_and_transaction():
    (trade,) = trades(a_fill(1))

    assert trade.key == trade_key(CHAIN_ID, TX, f"0x{1:064x}")
    assert (trade.side, trade.shares_micros, trade.usdc_micros) == (Side.BUY, 10 * SHARE, 5 * SHARE)
    assert (trade.traded_at, trade.block_number, trade.log_index) == (NOON, 100, 1)


def test_a_sell_gives_shares_and_takes_usdc():
    (trade,) = trades(a_fill(1, side=Side.SELL, shares=8 * SHARE, usdc=3 * SHARE))

    assert (trade.side, trade.shares_micros, trade.usdc_micros) == (Side.SELL, 8 * SHARE, 3 * SHARE)


@pytest.mark.parametrize(("taker", "role"), [("0x" + "E" * 40, Role.TAKER), (STRANGER, Role.MAKER)])
def test_a_leader_is_copied_as_taker_and_as_maker(taker: str, role: Role):
    assert [trade.role for trade in trades(a_fill(1, taker=taker))] == [role]


def test_whoever_a_leader_traded_with_is_known_by_his_wallet():
    exchange, other = "0x" + "E" * 40, "0x" + "D" * 40
    maker = a_fill(2, STRANGER.upper(), taker=LEADER)
    (taken,) = trades(
        a_fill(1, taker=exchange), maker, a_fill(3, other, taker=LEADER), a_fill(4, other, taker=STRANGER)
    )
    (made,) = trades(a_fill(1, taker=other))

    assert taken.counterparties == (STRANGER.lower(), other.lower())
    assert made.counterparties == (other.lower(),)


def test_two_logs_of_one_order_name_everyone_it_met():
    other = "0x" + "d" * 40

    (trade,) = trades(a_fill(1, taker=STRANGER), a_fill(1, taker=other))

    assert trade.counterparties == tuple(sorted((STRANGER.lower(), other)))


def test_five_orders_of_one_transaction_are_five_trades():
    found = trades(*(a_fill(order) for order in range(1, 6)))

    assert len({trade.key for trade in found}) == 5
    assert [trade.log_index for trade in found] == [1, 2, 3, 4, 5]


def test_two_logs_of_one_order_add_up():
    (trade,) = trades(a_fill(1, log_index=7), a_fill(1, shares=2 * SHARE, usdc=1 * SHARE, log_index=3))

    assert (trade.shares_micros, trade.usdc_micros, trade.log_index) == (12 * SHARE, 6 * SHARE, 3)


def test_an_address_is_a_leader_in_any_case_and_a_stranger_never():
    found = trades(a_fill(1, LEADER.upper().replace("X", "x")), a_fill(2, STRANGER), a_fill(3, STRANGER, taker=LEADER))

    assert [trade.leader for trade in found] == [LEADER]


def test_a_reverted_transaction_holds_no_trade():
    assert trades(a_fill(1), ok=False) == ()


def copies(*follows, **changes):
    return detect.copies(a_trade(**changes), follows, None, NOON)


def test_a_buy_is_an_entry_and_a_sell_a_debt_under_the_follows_policy():
    (entry,), (debt,) = copies(a_follow(version=3)), copies(a_follow(), side=Side.SELL)

    assert (entry.kind, debt.kind) == (CopyKind.ENTRY, CopyKind.DEBT)
    assert (entry.policy, entry.policy_version) == (a_follow().policy, 3)
    assert entry.claimable_at == AT_ONCE


def test_every_account_gets_a_copy_of_its_own_and_the_same_one_each_time():
    both = copies(a_follow(), a_follow(OTHER_ACCOUNT))

    assert len({copy.copy_id for copy in both}) == len({copy.idempotency_key for copy in both}) == 2
    assert copies(a_follow(), a_follow(OTHER_ACCOUNT)) == both


def test_the_same_trade_seen_again_later_or_in_another_block_is_the_same_copy():
    again = a_trade(block_number=999, log_index=44, block_hash="0xother")

    (one,), (two,) = copies(a_follow()), detect.copies(again, [a_follow()], None, NOON + timedelta(hours=1))
    assert (one.copy_id, one.idempotency_key) == (two.copy_id, two.idempotency_key)


@pytest.mark.parametrize("side", Side)
def test_a_trade_from_before_the_follow_was_made_concerns_no_one(side: Side):
    follow = a_follow(created_at=NOON)

    assert copies(follow, side=side, traded_at=NOON - timedelta(seconds=1)) == ()
    assert len(copies(follow, side=side, traded_at=NOON)) == 1


def test_a_closing_follow_takes_debts_only_and_a_closed_one_nothing():
    closing, closed = a_follow(state=FollowState.CLOSING), a_follow(state=FollowState.CLOSED)

    assert [len(copies(closing, side=side)) for side in (Side.BUY, Side.SELL)] == [0, 1]
    assert [len(copies(closed, side=side)) for side in (Side.BUY, Side.SELL)] == [0, 0]


def test_a_trade_of_another_leader_concerns_no_follow_of_this_one():
    assert copies(a_follow(), leader=STRANGER) == ()


def test_a_copy_names_the_market_of_its_token_where_it_is_known():
    market = a_market()
    (trade,) = trades(replace(a_fill(1), token_id=market.tokens[0].token_id))

    (known,) = detect.copies(trade, [a_follow()], market, NOON)
    (unknown,) = detect.copies(trade, [a_follow()], None, NOON)

    assert (known.trade.condition_id, unknown.trade.condition_id) == (market.condition_id, "")
    assert known.idempotency_key == unknown.idempotency_key
