"""Adapters, the neg-risk market, protocol v2 and the auto-redeemer, on the EVM in this process."""

from typing import Any

import pytest
from eth_utils.crypto import keccak

from services.venue import conditions
from services.venue.conditions import Condition, Send
from services.venue.contracts import ALL, NEG_RISK, POSITIONS, STANDARD
from services.venue.node import addresses, calldata
from services.venue.node.reasons import reason
from services.venue.signing import exchange_domain
from tests.venue_chain import (
    ALICE,
    BOB,
    BUY,
    CAROL,
    CONDITION,
    SELL,
    SHARE,
    USDC,
    a_match,
    an_order,
    events,
)
from tests.venue_contract_world import (
    APPROVE_ALL,
    BLUES,
    CASH,
    COMET,
    CONVERT,
    GREENS,
    MANAGER,
    MARKET,
    MERGE,
    RAIN,
    REDEEM,
    REDS,
    SPLIT,
    TOKENS,
    World,
)

CENTS = 10_000
KINDS = [
    pytest.param(RAIN, addresses.COLLATERAL_ADAPTER, id="ordinary"),
    pytest.param(REDS, addresses.NEG_RISK_COLLATERAL_ADAPTER, id="neg-risk"),
]
RESOLVED = [
    pytest.param(RAIN, [1, 1], id="ordinary, even"),
    pytest.param(RAIN, [0, 1], id="ordinary"),
    pytest.param(REDS, [1, 0], id="neg-risk"),
    pytest.param(COMET, [1, 0], id="protocol v2"),
    pytest.param(COMET, [1, 1], id="protocol v2, even"),
]


@pytest.fixture
def world() -> World:
    return World()


def by_adapter(adapter: str, signature: Any, condition: Condition, *amounts: int) -> Send:
    """As the official client asks for it."""
    arguments = (CASH, conditions.NO_PARENT, condition.raw, conditions.BINARY, *amounts)
    return Send(BOB.address, adapter, calldata.write(signature, *arguments))


@pytest.mark.parametrize(("condition", "adapter"), KINDS)
def test_an_adapter_splits_and_merges_for_a_wallet(world, condition, adapter):
    cash, before = world.usdc(BOB.address), world.held(BOB.address, condition)
    split = world.do(by_adapter(adapter, SPLIT, condition, 10 * USDC))

    assert world.usdc(BOB.address) == cash - 10 * USDC
    assert world.held(BOB.address, condition) == [one + 10 * SHARE for one in before]
    assert {one["stakeholder"] for one in events(split, "PositionSplit")} >= {BOB.address.lower()}

    world.do(by_adapter(adapter, MERGE, condition, 10 * USDC))

    assert (world.usdc(BOB.address), world.held(BOB.address, condition)) == (cash, before)
    assert world.held(adapter, condition) == [0, 0]


@pytest.mark.parametrize(("condition", "adapter"), KINDS)
def test_an_adapter_redeems_whatever_a_wallet_has(world, condition, adapter):
    world.do(by_adapter(adapter, SPLIT, condition, 10 * USDC))
    cash, held = world.usdc(BOB.address), world.held(BOB.address, condition)
    early = world.try_(by_adapter(adapter, REDEEM, condition))
    world.do(conditions.resolving(condition, [0, 1]))
    world.do(by_adapter(adapter, REDEEM, condition))

    assert reason(early.output) == "PayoutNotReported"
    assert world.usdc(BOB.address) == cash + held[1]
    assert world.held(BOB.address, condition) == [0, 0]


def test_an_adapter_that_is_not_approved_does_nothing(world):
    world.must(BOB.address, TOKENS, APPROVE_ALL, addresses.COLLATERAL_ADAPTER, False)

    refused = world.try_(by_adapter(addresses.COLLATERAL_ADAPTER, MERGE, RAIN, USDC))

    assert reason(refused.output) == "NotApproved"


def test_no_shares_of_two_answers_become_a_dollar_and_the_yes_of_the_third(world):
    for one in (REDS, BLUES):
        world.do(conditions.splitting(BOB.address, one, 10 * USDC))
    cash = world.usdc(BOB.address)
    done = world.must(BOB.address, addresses.NEG_RISK_ADAPTER, CONVERT, MARKET, 0b011, 10 * USDC)

    assert world.held(BOB.address, REDS) == world.held(BOB.address, BLUES) == [10 * SHARE, 0]
    assert world.held(BOB.address, GREENS) == [10 * SHARE, 0]
    assert world.usdc(BOB.address) == cash + 10 * USDC
    (told,) = events(done, "PositionsConverted")
    assert (told["stakeholder"], told["indexSet"], told["amount"]) == (BOB.address.lower(), 3, 10 * USDC)


@pytest.mark.parametrize("winner", range(3))
def test_what_was_converted_is_worth_a_dollar_whoever_wins(world, winner):
    everything = (REDS, BLUES, GREENS)
    before = world.usdc(BOB.address)
    for one in everything:
        world.do(conditions.splitting(BOB.address, one, 10 * USDC))
    world.must(BOB.address, addresses.NEG_RISK_ADAPTER, CONVERT, MARKET, 0b101, 10 * USDC)
    for index, one in enumerate(everything):
        world.do(conditions.resolving(one, [1, 0] if index == winner else [0, 1]))
        for send in conditions.redeeming(BOB.address, one, world.held(BOB.address, one)):
            world.do(send)

    assert world.usdc(BOB.address) == before
    assert world.usdc(addresses.NEG_RISK_ADAPTER) == 0


@pytest.mark.parametrize("chosen", [0, 0b1000])
def test_a_conversion_names_questions_of_its_market(world, chosen):
    refused = world.send(BOB.address, addresses.NEG_RISK_ADAPTER, CONVERT, MARKET, chosen, USDC)

    assert reason(refused.output) == "InvalidIndexSet"


def test_one_answer_of_a_market_is_yes_and_its_oracle_alone_says_which(world):
    report = ("reportOutcome", ("bytes32", "bool"))
    stranger = world.send(BOB.address, addresses.NEG_RISK_ADAPTER, report, REDS.question_id, True)
    world.do(conditions.resolving(REDS, [1, 0]))
    second = world.try_(conditions.resolving(BLUES, [1, 0]))
    world.do(conditions.resolving(BLUES, [0, 1]))

    assert (reason(stranger.output), reason(second.output)) == ("OnlyOracle", "MarketAlreadyDetermined")


def test_a_neg_risk_market_is_never_split_even(world):
    with pytest.raises(ValueError, match="1:0 or 0:1"):
        conditions.resolving(REDS, [1, 1])


def test_the_neg_risk_adapter_reads_balances_of_its_tokens(world):
    world.do(conditions.splitting(BOB.address, REDS, 10 * USDC))
    batch = ("balanceOfBatch", ("address[]", "uint256[]"))

    assert world.ask(addresses.NEG_RISK_ADAPTER, batch, "uint256[]", [BOB.address] * 2, list(REDS.tokens)) == (
        10 * SHARE,
        10 * SHARE,
    )
    asked = world.ask(addresses.NEG_RISK_ADAPTER, ("getConditionId", ("bytes32",)), "bytes32", REDS.question_id)
    assert asked == REDS.raw
    yes = world.ask(
        addresses.NEG_RISK_ADAPTER, ("getPositionId", ("bytes32", "bool")), "uint256", REDS.question_id, True
    )
    assert yes == REDS.tokens[0]


@pytest.mark.parametrize(("condition", "payouts"), RESOLVED)
def test_the_auto_redeemer_pays_a_wallet_what_its_shares_are_worth(world, condition, payouts):
    if condition is not RAIN:
        world.do(conditions.splitting(BOB.address, condition, 1_000 * USDC))
    cash, held = world.usdc(BOB.address), world.held(BOB.address, condition)
    world.do(conditions.resolving(condition, payouts))
    stranger = conditions.redeeming_for(BOB.address, condition)
    refused = world.send_data(CAROL.address, stranger.to, stranger.data)
    world.do(stranger)

    assert reason(refused.output) == "NotOperator"
    worth = sum(have * part for have, part in zip(held, payouts, strict=True)) // sum(payouts)
    assert world.usdc(BOB.address) == cash + worth
    assert world.held(BOB.address, condition) == [0, 0]


def test_positions_are_split_merged_and_redeemed_through_the_router(world):
    cash = world.usdc(BOB.address)
    world.do(conditions.splitting(BOB.address, COMET, 10 * USDC))
    world.do(conditions.merging(BOB.address, COMET, 4 * USDC))
    early = world.try_(conditions.redeeming(BOB.address, COMET, [6 * SHARE, 0])[0])
    world.do(conditions.resolving(COMET, [1, 1]))
    sends = conditions.redeeming(BOB.address, COMET, [6 * SHARE, 6 * SHARE])
    paid = [events(world.do(send), "PayoutRedemption")[0]["payout"] for send in sends]

    assert reason(early.output) == "PayoutNotReported"
    assert paid == [3 * USDC, 3 * USDC]
    assert world.usdc(BOB.address) == cash
    assert world.usdc(MANAGER) == 0


def test_a_losing_position_is_redeemed_for_nothing(world):
    world.do(conditions.splitting(BOB.address, COMET, 10 * USDC))
    world.do(conditions.resolving(COMET, [0, 1]))
    lost = world.do(conditions.redeeming(BOB.address, COMET, [10 * SHARE, 0])[0])

    assert events(lost, "PayoutRedemption")[0]["payout"] == 0
    assert world.held(BOB.address, COMET) == [0, 10 * SHARE]


def test_sets_of_positions_come_from_the_router_alone(world):
    mint = world.send(BOB.address, MANAGER, ("mint", ("address", "bytes31", "uint256")), BOB.address, COMET.raw, USDC)

    assert reason(mint.output) == "OnlyRouter"


@pytest.mark.parametrize("raw", [b"\x03" + bytes(30), b"\x01" + b"\xff" * 30])
def test_a_condition_that_no_position_id_can_name_is_not_prepared(world, raw):
    prepared = world.send(addresses.ORACLE, MANAGER, ("prepareCondition", ("bytes31",)), raw)

    assert reason(prepared.output) == "InvalidConditionId"


def test_the_router_takes_no_shares_without_leave(world):
    world.do(conditions.splitting(BOB.address, COMET, 10 * USDC))
    world.must(BOB.address, MANAGER, APPROVE_ALL, addresses.ROUTER, False)

    assert reason(world.try_(conditions.merging(BOB.address, COMET, USDC)).output) == "NotApproved"


@pytest.mark.parametrize(("condition", "contract"), [(REDS, NEG_RISK), (COMET, POSITIONS)], ids=["neg-risk", "v2"])
def test_both_exchanges_mint_and_merge_for_their_markets(world, condition, contract):
    yes, no = condition.tokens
    cash = world.usdc(ALICE.address), world.usdc(BOB.address)
    buys = [
        an_order(ALICE, BUY, yes, 10 * SHARE, 40 * CENTS, contract=contract),
        an_order(BOB, BUY, no, 10 * SHARE, 60 * CENTS, contract=contract),
    ]
    sells = [
        an_order(ALICE, SELL, yes, 10 * SHARE, 40 * CENTS, contract=contract),
        an_order(BOB, SELL, no, 10 * SHARE, 60 * CENTS, contract=contract),
    ]

    assert world.refusal(a_match(*buys, condition_id=condition.condition_id, contract=contract)) == ""
    assert (world.held(ALICE.address, condition), world.held(BOB.address, condition)) == (
        [10 * SHARE, 0],
        [0, 10 * SHARE],
    )
    assert world.refusal(a_match(*sells, condition_id=condition.condition_id, contract=contract)) == ""
    assert (world.usdc(ALICE.address), world.usdc(BOB.address)) == cash
    assert world.usdc(contract.exchange) == 0


def test_every_exchange_answers_with_the_domain_that_its_orders_are_signed_for(world):
    for contract in ALL:
        assert world.ask(contract.exchange, ("domainSeparator", ()), "bytes32") == exchange_domain(contract)


def test_an_exchange_refuses_an_order_of_its_twin(world):
    yes, _ = REDS.tokens
    order = an_order(ALICE, BUY, yes, 10 * SHARE, 40 * CENTS, contract=STANDARD)
    other = an_order(BOB, SELL, yes, 10 * SHARE, 40 * CENTS, contract=NEG_RISK)

    assert world.refusal(a_match(order, other, condition_id=REDS.condition_id, contract=NEG_RISK)) == "InvalidSignature"


def test_an_exchange_knows_only_tokens_of_its_own_kind(world):
    yes, no = REDS.tokens
    orders = an_order(ALICE, BUY, yes, SHARE, 40 * CENTS), an_order(BOB, BUY, no, SHARE, 60 * CENTS)

    assert world.refusal(a_match(*orders, condition_id=REDS.condition_id)) == "MismatchedTokenIds"


@pytest.mark.parametrize("address", addresses.UNSERVED)
def test_a_contract_that_is_left_out_fails_instead_of_pretending(world, address):
    called = world.send(ALICE.address, address, ("wrap", ("address", "address", "uint256")), CASH, ALICE.address, USDC)

    assert called.output == keccak(text="NotServedHere()")[:4]


def test_ids_are_those_of_the_ordinary_tokens_for_an_ordinary_condition():
    assert conditions.known_by_id(CONDITION).tokens == RAIN.tokens
    assert conditions.known_by_id(COMET.condition_id).tokens == COMET.tokens
