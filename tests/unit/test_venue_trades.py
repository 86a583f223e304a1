"""The trades of the venue: found by whose they are, where and under which code, in their order, and forgotten everywhere."""

from decimal import Decimal

import pytest
from eth_account import Account

from services.venue.engine.trades import NO_BUILDER, Trades
from services.venue.model import Market, Order, OrderType, Part, PostedOrder, Role, Trade
from services.venue.signed import SignedOrder

MARKETS = [
    Market(f"0x{place}", "Q?", "q", "q", "9", ("Yes", "No"), (f"{place}1", f"{place}2"), 10_000, 0, Decimal(0), 0)
    for place in range(2)
]
WALLETS = [Account.from_key(f"0x{number:064x}").address for number in range(1, 4)]
ANNA, BERT, CARL = (wallet.lower() for wallet in WALLETS)
CODE = "0c" * 32


def a_part(wallet: str, market: Market, role: Role, builder: str) -> Part:
    token, code = int(market.tokens[0]), bytes.fromhex(builder)
    signed = SignedOrder(1, wallet, wallet, token, 5, 10, 0, 0, 0, bytes(32), code, b"")
    order = Order(PostedOrder("0x" + wallet, signed, OrderType.FAK, "key"), market, 500_000, 0)
    return Part(order, role, 10, 5)


def a_trade(number: int, taker: str, maker: str, market: Market, builder: str = NO_BUILDER) -> Trade:
    makers = (a_part(maker, market, Role.MAKER, NO_BUILDER),)
    return Trade(f"trade-{number}", market, a_part(taker, market, Role.TAKER, builder), makers, 0, 0, 0, number)


@pytest.fixture
def trades() -> Trades:
    one, (anna, bert, carl), (first, second) = Trades(), WALLETS, MARKETS
    one.add(a_trade(1, anna, bert, first))
    one.add(a_trade(2, carl, bert, second, CODE))
    one.add(a_trade(3, bert, anna, second))
    one.add(a_trade(4, carl, anna, first, CODE))
    return one


def numbers(found):
    return [trade.number for trade in found]


def test_a_wallet_finds_its_own_as_taker_and_as_maker_in_their_order(trades):
    assert numbers(trades.of({ANNA})) == [1, 3, 4]
    assert numbers(trades.of({ANNA, BERT, "0xnobody"})) == [1, 2, 3, 4]
    assert numbers(trades.of({BERT, CARL}, MARKETS[1].condition_id)) == [2, 3]
    assert numbers(trades.of(set())) == numbers(trades.of({"0xnobody"})) == []


def test_a_builders_code_finds_what_carries_it_and_none_what_there_is(trades):
    assert numbers(trades.of_builder(CODE)) == [2, 4]
    assert numbers(trades.of_builder(CODE, MARKETS[0].condition_id)) == [4]
    assert numbers(trades.of_builder(NO_BUILDER)) == [1, 2, 3, 4]
    assert numbers(trades.of_builder("0d" * 32)) == []


def test_what_is_forgotten_is_found_by_nothing(trades):
    for number in (2, 4, 4):
        trades.forget(f"trade-{number}")

    assert trades.get("trade-2") is None
    assert len(trades) == 2
    assert numbers(trades.of({CARL})) == numbers(trades.of_builder(CODE)) == []
    assert numbers(trades.of({ANNA, BERT})) == [1, 3]
