"""Rows of splits, merges, redemptions and conversions, read from what the real contracts logged: through adapters, router and auto-redeemer."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from polymarket._internal.actions.relayer.calls import TransactionCall
from polymarket.types import EvmAddress

from services.venue import conditions
from services.venue.accounts import Kind, account_of
from services.venue.bank import UNLIMITED
from services.venue.conditions import Condition, Send
from services.venue.data import logs as reading
from services.venue.data.conversions import Conversions, Moves
from services.venue.data.entries import Entry
from services.venue.data.holdings import Holdings
from services.venue.data.ledger import Ledger
from services.venue.data.logs import TOPICS, Block, Log
from services.venue.model import Market
from services.venue.node import addresses, artifacts, calldata, genesis
from services.venue.node.block import Mined
from services.venue.node.edits import Edit
from services.venue.relayer.relay import CODE
from services.venue.relayer.requests import Errand, read_submission
from services.venue.surfaces import EXCHANGES, INNER, WATCHED
from tests.venue_chain import ALICE, BOB, BUY, USDC, a_match, an_order
from tests.venue_contract_world import (
    BLUES,
    CASH,
    COMET,
    CONVERT,
    GREENS,
    MARKET,
    MERGE,
    RAIN,
    REDEEM,
    REDS,
    SPLIT,
    TOKENS,
    World,
)
from tests.venue_wallets import a_submission

MARKETS = {
    one.condition_id: Market(
        one.condition_id,
        "Q?",
        "q",
        "q",
        "9",
        ("Yes", "No"),
        (str(one.tokens[0]), str(one.tokens[1])),
        10_000,
        5_000_000,
        Decimal(0),
        0,
        neg_risk_market_id=one.market_id,
    )
    for one in (RAIN, REDS, BLUES, GREENS, COMET)
}
BY_TOKEN = {token: market for market in MARKETS.values() for token in market.tokens}
EVERY = [pytest.param(RAIN, id="ordinary"), pytest.param(REDS, id="neg-risk"), pytest.param(COMET, id="protocol v2")]
ADAPTERS = {RAIN: addresses.COLLATERAL_ADAPTER, REDS: addresses.NEG_RISK_COLLATERAL_ADAPTER}
OF_CTF = EVERY[:2]


class Watched(World):
    """What the Data API's ledger makes of each transaction, in a block of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(BY_TOKEN.get, MARKETS, EXCHANGES, INNER)
        self.height = 0

    def told(self, send: Send) -> list[Entry]:
        """The rows of a transaction."""
        return self.rows_of(self.do(send))

    def rows_of(self, mined: Mined) -> list[Entry]:
        self.height += 1
        watched = {one.lower() for one in WATCHED}
        logs = [_log(one) for one in mined.logs]
        known = tuple(log for log in logs if log.address in watched and log.topics[0] in TOPICS)
        self.ledger.take(Block(self.height, f"0x{self.height}", 1_790_000_000, known))
        return [one for wallet in self.ledger.entries.wallets() for one in self._at_top(wallet)]

    def _at_top(self, wallet: str) -> list[Entry]:
        return [one for one in self.ledger.entries.of_wallet(wallet) if one.block_number == self.height]

    def book(self, wallet: str) -> Holdings:
        book = Holdings(MARKETS, self.ledger.payouts, BY_TOKEN.get)
        book.take(self.ledger.entries.of_wallet(wallet.lower()))
        return book


def _log(log: Any) -> Log:
    topics = tuple("0x" + topic.hex() for topic in log.topics)
    tx_hash = "0x" + log.transaction_hash.hex()
    return Log("0x" + log.address.hex(), topics, "0x" + log.data.hex(), tx_hash, log.transaction_index, log.index)


def row(entry: Entry) -> tuple[str, str, str, int]:
    return entry.kind, to_checksum_address(entry.wallet), entry.condition_id, entry.shares_micros


def ordinary(to: str, signature: Any, condition: Condition, *amounts: int, collateral: str = CASH) -> Send:
    """A call with the arguments of the conditional tokens, by Bob."""
    arguments = (collateral, conditions.NO_PARENT, condition.raw, conditions.BINARY, *amounts)
    return Send(BOB.address, to, calldata.write(signature, *arguments))


def a_safe(world: World) -> str:
    """Bob's Safe, with money and every approval."""
    safe = account_of(BOB.address).safe
    world.chain.edit(Edit(genesis.canonical(safe), code=artifacts.load(CODE[Kind.SAFE]).runtime))
    world.must(addresses.RELAYER, safe, ("initialize", ("address",)), BOB.address)
    world.must(addresses.ADMIN, CASH, ("mint", ("address", "uint256")), safe, 1_000 * USDC)
    world.approve(safe)
    world.must(safe, CASH, ("approve", ("address", "uint256")), TOKENS, UNLIMITED)
    return safe


def at_once(world: Watched, sends: Sequence[Send], nonce: int = 0) -> Mined:
    """All of it in one transaction of Bob's Safe."""
    calls = [TransactionCall(to=EvmAddress(one.to), data=one.data) for one in sends]
    errand = read_submission(a_submission(BOB, Kind.SAFE, calls, nonce))
    assert isinstance(errand, Errand)
    return world.do(Send(addresses.RELAYER, errand.wallet, errand.data))


@pytest.fixture
def world() -> Watched:
    return Watched()


@pytest.mark.parametrize("condition", EVERY)
def test_sets_are_rows_of_the_wallet_that_split_and_merged_them(world, condition):
    split = world.told(conditions.splitting(BOB.address, condition, 10 * USDC))
    merged = world.told(conditions.merging(BOB.address, condition, 4 * USDC))

    assert [row(one) for one in split] == [("SPLIT", BOB.address, condition.condition_id, 10 * USDC)]
    assert [row(one) for one in merged] == [("MERGE", BOB.address, condition.condition_id, 4 * USDC)]


@pytest.mark.parametrize("condition", OF_CTF)
def test_what_an_adapter_of_the_collateral_does_is_the_wallets_behind_it(world, condition):
    split = world.told(ordinary(ADAPTERS[condition], SPLIT, condition, 10 * USDC))
    merged = world.told(ordinary(ADAPTERS[condition], MERGE, condition, 4 * USDC))
    world.told(conditions.resolving(condition, [1, 0]))
    redeemed = world.told(ordinary(ADAPTERS[condition], REDEEM, condition))

    assert [row(one) for one in split] == [("SPLIT", BOB.address, condition.condition_id, 10 * USDC)]
    assert [row(one) for one in merged] == [("MERGE", BOB.address, condition.condition_id, 4 * USDC)]
    held = 6 * USDC + (1_000 * USDC if condition is RAIN else 0)
    assert [(*row(one), one.outcome) for one in redeemed] == [
        ("REDEEM", BOB.address, condition.condition_id, held, 0),
        ("REDEEM", BOB.address, condition.condition_id, 0, 1),
    ]
    assert redeemed[0].burned == (held, held)


@pytest.mark.parametrize("condition", EVERY)
def test_what_is_redeemed_automatically_is_its_owners(world, condition):
    world.told(conditions.splitting(BOB.address, condition, 10 * USDC))
    held = world.held(BOB.address, condition)
    world.told(conditions.resolving(condition, [1, 0]))
    redeemed = world.told(conditions.redeeming_for(BOB.address, condition))

    assert [(*row(one), one.outcome) for one in redeemed] == [
        ("REDEEM", BOB.address, condition.condition_id, held[0], 0),
        ("REDEEM", BOB.address, condition.condition_id, 0, 1),
    ]
    assert [sum(one.burned[outcome] for one in redeemed) for outcome in range(2)] == held


def test_a_position_that_is_redeemed_alone_is_one_row(world):
    world.told(conditions.splitting(BOB.address, COMET, 10 * USDC))
    world.told(conditions.resolving(COMET, [0, 1]))
    lost, won = [world.told(one) for one in conditions.redeeming(BOB.address, COMET, [10 * USDC, 10 * USDC])]

    assert [(one.outcome, one.shares_micros, one.burned) for one in lost + won] == [
        (0, 0, (10 * USDC, 0)),
        (1, 10 * USDC, (0, 10 * USDC)),
    ]


def test_sets_over_another_collateral_are_none_of_the_markets(world):
    # A neg-risk condition is over wrapped collateral: pUSD makes other tokens of it, which no market here knows.
    wrong = world.told(ordinary(TOKENS, SPLIT, REDS, 10 * USDC))
    back = world.told(ordinary(TOKENS, MERGE, REDS, 5 * USDC))
    world.told(conditions.resolving(REDS, [1, 0]))
    paid = world.told(ordinary(TOKENS, REDEEM, REDS))

    assert wrong == back == paid == []


def test_what_moved_of_one_outcome_alone_is_no_set_and_stays_for_another_row(world):
    logs = [_log(one) for one in world.do(conditions.splitting(BOB.address, RAIN, 10 * USDC)).logs]
    (split,) = [one for one in logs if one.topics[0] == reading.SPLIT]
    yes, no = [moved for one in logs if one.topics[0] == reading.BATCH for moved in reading.read_moves(one)]
    reader = Conversions(BY_TOKEN.get, MARKETS, {}, frozenset(), frozenset())
    place = split.place - 1
    for alone in (yes, no):
        moves = Moves([(place, alone)])
        assert list(reader.read(split, moves)) == []
        assert moves.take(lambda _, moved: True) == alone

    assert [one.kind for one in reader.read(split, Moves([(place, yes), (place, no)]))] == ["SPLIT"]


def test_whoever_redeems_nothing_has_no_row(world):
    world.told(conditions.resolving(REDS, [1, 0]))

    assert world.told(ordinary(ADAPTERS[REDS], REDEEM, REDS)) == []


def test_several_in_one_transaction_are_told_each_for_itself(world):
    safe = a_safe(world)
    mine = [
        conditions.splitting(safe, RAIN, 10 * USDC),
        conditions.splitting(safe, RAIN, 10 * USDC),
        ordinary(TOKENS, SPLIT, REDS, 10 * USDC),
        ordinary(ADAPTERS[REDS], SPLIT, REDS, 7 * USDC),
        conditions.merging(safe, RAIN, 20 * USDC),
    ]
    rows = world.rows_of(at_once(world, mine))

    assert [row(one) for one in rows] == [
        ("SPLIT", safe, RAIN.condition_id, 10 * USDC),
        ("SPLIT", safe, RAIN.condition_id, 10 * USDC),
        ("SPLIT", safe, REDS.condition_id, 7 * USDC),
        ("MERGE", safe, RAIN.condition_id, 20 * USDC),
    ]


def test_sets_that_an_exchange_mints_are_nobodys(world):
    for condition in (RAIN, REDS, COMET):
        yes, no = condition.tokens
        contract = condition.contract
        buys = [
            an_order(ALICE, BUY, yes, 10 * USDC, 400_000, contract=contract),
            an_order(BOB, BUY, no, 10 * USDC, 600_000, contract=contract),
        ]
        rows = world.rows_of(world.settle(a_match(*buys, condition_id=condition.condition_id, contract=contract)))
        assert {one.kind for one in rows} == {"TRADE"}, condition
        assert len(rows) == 2


def test_a_conversion_is_one_row_and_moves_costs_to_what_it_got(world):
    for one in (REDS, BLUES):
        world.told(conditions.splitting(BOB.address, one, 10 * USDC))
    convert = calldata.write(CONVERT, MARKET, 0b011, 10 * USDC)
    (told,) = world.told(Send(BOB.address, addresses.NEG_RISK_ADAPTER, convert))
    book = world.book(BOB.address).of_token

    assert row(told) == ("CONVERSION", BOB.address, REDS.condition_id, 10 * USDC)
    assert (told.given, told.got) == ((str(REDS.tokens[1]), str(BLUES.tokens[1])), (str(GREENS.tokens[0]),))
    # Two times five dollars of no, and ten dollars came back.
    assert {token: one.realized_micros for token, one in book.items() if one.realized_micros} == {}
    assert (book[str(GREENS.tokens[0])].shares_micros, book[str(GREENS.tokens[0])].cost_micros) == (10 * USDC, 0)
    assert book[str(REDS.tokens[1])].shares_micros == 0
    assert addresses.NEG_RISK_BURNT.lower() not in world.ledger.holders(str(REDS.tokens[1]))


def test_whoever_gives_every_no_gets_dollars_alone(world):
    for one in (REDS, BLUES, GREENS):
        world.told(conditions.splitting(BOB.address, one, 10 * USDC))
    convert = calldata.write(CONVERT, MARKET, 0b111, 10 * USDC)
    (told,) = world.told(Send(BOB.address, addresses.NEG_RISK_ADAPTER, convert))
    book = world.book(BOB.address).of_token

    # Three times five dollars for twenty.
    assert told.got == ()
    assert sum(one.realized_micros for one in book.values()) == pytest.approx(5 * USDC, abs=3)


def test_a_conversion_and_a_split_in_one_transaction_are_two_rows(world):
    safe = a_safe(world)
    convert = calldata.write(CONVERT, MARKET, 0b011, 10 * USDC)
    mine = [
        *(conditions.splitting(safe, one, 10 * USDC) for one in (REDS, BLUES, GREENS)),
        Send(safe, addresses.NEG_RISK_ADAPTER, convert),
        conditions.merging(safe, GREENS, 3 * USDC),
    ]
    rows = world.rows_of(at_once(world, mine))

    assert [one.kind for one in rows] == ["SPLIT", "SPLIT", "SPLIT", "CONVERSION", "MERGE"]
    assert {to_checksum_address(one.wallet) for one in rows} == {safe}
    assert rows[3].got == (str(GREENS.tokens[0]),)
