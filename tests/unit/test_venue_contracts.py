"""The local exchange, tokens and collateral, on the EVM in this process."""

from dataclasses import replace

import pytest
from eth_utils.crypto import keccak

from services.venue.node import addresses, artifacts
from services.venue.signed import order_tuple
from tests.venue_chain import (
    ALICE,
    BOB,
    BUY,
    CAROL,
    CONDITION,
    NO,
    SELL,
    SHARE,
    USDC,
    YES,
    Contracts,
    a_match,
    an_order,
    decoded,
    events,
    resigned,
    topic0,
)

CENTS = 10_000
CONDITION_BYTES = bytes.fromhex(CONDITION[2:])
ORDER = "(uint256,address,address,uint256,uint256,uint256,uint8,uint8,uint256,bytes32,bytes32,bytes)"
HALF_CURVE = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
def contracts() -> Contracts:
    return Contracts()


TOPICS = {
    "OrderFilled": "d543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee",
    "OrdersMatched": "174b3811690657c217184f89418266767c87e4805d09680c39fc9c031c0cab7c",
    "FeeCharged": "55bb3cade9d43b798a4fe5ffdd05024b2d7870df53920673bfc7e68047cd0ab1",
    "UserPaused": "a3e76126f19eb25001b29726d2a9502b6377938633d2d6a955107dd442e7a14a",
    "UserUnpaused": "1419d4111b5c8636aecff843bf618525f4f8e1aa6898a14357021d68dde8af12",
    "TransferSingle": "c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62",
    "TransferBatch": "4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb",
    "ApprovalForAll": "17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31",
    "Transfer": "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    "Approval": "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
    "OrderPreapproved": "e92c22722d9c284034b6c9f5aaec018edb3e593c0e084900b6b9d390a1182a0b",
    "OrderPreapprovalInvalidated": "b766aa470f20b094f26a9a14ea5bf63a60af51703c15776e2e739b6a0428adf6",
    "PositionsConverted": "b03d19dddbc72a87e735ff0ea3b57bef133ebe44e1894284916a84044deb367e",
    "ConditionPreparation": "ab3760c3bd2bb38b5bcf54dc79802ed67338b4cf29f3054ded67ed24661e4177",
    "ConditionResolution": "b44d84d3289691f71497564b85d4233648d9dbae8cbdbb4329f301c3a0185894",
}

# Both the conditional tokens and the adapter have events of these names.
SPLITS = {
    "conditional_tokens": {
        "PositionSplit": "2e6bb91f8cbcda0c93623c54d0403a43514fabc40084ec96b6d5379a74786298",
        "PositionsMerge": "6f13ca62553fcc2bcd2372180a43949c1e4cebba603901ede2f4e14f36b282ca",
        "PayoutRedemption": "2682012a4a4f1973119f1c9b90745d1bd91fa2bab387344f044cb3586864d18d",
    },
    "neg_risk_adapter": {
        "PositionSplit": "bbed930dbfb7907ae2d60ddf78345610214f26419a0128df39b6cc3d9e5df9b0",
        "PositionsMerge": "ba33ac50d8894676597e6e35dc09cff59854708b642cd069d21eb9c7ca072a04",
        "PayoutRedemption": "9140a6a270ef945260c03894b3c6b3b2695e9d5101feef0ff24fec960cfd3224",
    },
}


def test_events_have_the_topics_of_the_real_contracts():
    entries = [one for name in artifacts.NAMES for one in artifacts.load(name).abi if one["type"] == "event"]
    known = {one["name"]: topic0(one).hex() for one in entries if one["name"] in TOPICS}

    assert known == TOPICS
    for name, wanted in SPLITS.items():
        found = {one["name"]: topic0(one).hex() for one in artifacts.load(name).abi if one["name"] in wanted}
        assert found == wanted


SELECTORS = {
    "exchange": "3c2b4399 3d861a4d 46423aa7 2dff692d 28872101 4a2a11f5",
    "conditional_tokens": "00fdd58e 4e1273f4 e985e9c5 a22cb465 0504c814 dd34de67 d42dc0c2 856296f7 39dd7530"
    " 01b7037c 72ce4275 9e7212ad d96ee754 c49298ac",
    "collateral": "70a08231 dd62ed3e 095ea7b3",
}


@pytest.mark.parametrize(("contract", "wanted"), SELECTORS.items())
def test_functions_have_the_selectors_of_the_real_contracts(contract, wanted):
    functions = [one for one in artifacts.load(contract).abi if one["type"] == "function"]
    selectors = {keccak(text=f"{one['name']}({_types(one['inputs'])})")[:4].hex() for one in functions}

    assert set(wanted.split()) <= selectors


def _types(inputs) -> str:
    return ",".join(
        one["type"].replace("tuple", f"({_types(one['components'])})") if "components" in one else one["type"]
        for one in inputs
    )


def test_a_buyer_pays_the_sellers_prices_when_the_book_is_better_than_his_limit(contracts):
    buy = an_order(ALICE, BUY, YES, 100 * SHARE, 60 * CENTS)
    cheap = an_order(BOB, SELL, YES, 40 * SHARE, 50 * CENTS)
    dear = an_order(CAROL, SELL, YES, 60 * SHARE, 55 * CENTS)

    mined = contracts.settle(a_match(buy, cheap, dear, taker_fee=1_234))

    filled = events(mined, "OrderFilled")
    assert [one["maker"] for one in filled] == [one.address.lower() for one in (BOB, CAROL, ALICE)]
    assert [one["taker"] for one in filled] == [
        ALICE.address.lower(),
        ALICE.address.lower(),
        addresses.EXCHANGE.lower(),
    ]
    assert [(one["makerAmountFilled"], one["takerAmountFilled"]) for one in filled] == [
        (40 * SHARE, 20 * USDC),
        (60 * SHARE, 33 * USDC),
        (53 * USDC, 100 * SHARE),
    ]
    assert [one["fee"] for one in filled] == [0, 0, 1_234]
    assert contracts.usdc(ALICE.address) == 1_000 * USDC - 53 * USDC - 1_234
    assert contracts.shares(ALICE.address, YES) == 1_100 * SHARE
    assert contracts.usdc(CAROL.address) == 1_033 * USDC
    assert contracts.usdc(addresses.FEE_RECEIVER) == 1_234
    assert contracts.usdc(addresses.EXCHANGE) == 0


def test_the_last_events_of_a_match_are_the_takers(contracts):
    buy = an_order(ALICE, BUY, YES, 10 * SHARE, 50 * CENTS)

    mined = contracts.settle(a_match(buy, an_order(BOB, SELL, YES, 10 * SHARE, 50 * CENTS), taker_fee=5))

    assert [name for name, _ in decoded(mined) if name not in ("Transfer", "TransferSingle")] == [
        "OrderFilled",
        "FeeCharged",
        "OrderFilled",
        "OrdersMatched",
    ]


def test_a_sellers_fee_comes_out_of_his_proceeds(contracts):
    sell = an_order(ALICE, SELL, YES, 100 * SHARE, 40 * CENTS)
    buy = an_order(BOB, BUY, YES, 100 * SHARE, 45 * CENTS)

    mined = contracts.settle(a_match(sell, buy, taker_fee=2 * USDC))

    taker = events(mined, "OrderFilled")[-1]
    assert (taker["makerAmountFilled"], taker["takerAmountFilled"], taker["fee"]) == (
        100 * SHARE,
        45 * USDC,
        2 * USDC,
    )
    assert contracts.usdc(ALICE.address) == 1_043 * USDC
    assert contracts.shares(BOB.address, YES) == 1_100 * SHARE


def test_makers_pay_their_fees_too_when_the_operator_charges_them(contracts):
    buy = an_order(ALICE, BUY, YES, 20 * SHARE, 50 * CENTS)
    seller = an_order(BOB, SELL, YES, 10 * SHARE, 50 * CENTS)
    minter = an_order(CAROL, BUY, NO, 10 * SHARE, 50 * CENTS)

    contracts.settle(
        a_match(an_order(ALICE, BUY, YES, 4 * SHARE, 50 * CENTS), seller, maker_fills=(4 * SHARE,), maker_fees=(70,))
    )
    contracts.settle(
        a_match(buy, seller, minter, taker_fill=8 * USDC, maker_fills=(6 * SHARE, 5 * USDC), maker_fees=(30, 7))
    )

    assert contracts.usdc(BOB.address) == 1_005 * USDC - 100
    assert contracts.usdc(CAROL.address) == 995 * USDC - 7
    assert contracts.usdc(addresses.FEE_RECEIVER) == 107
    assert contracts.usdc(ALICE.address) == 990 * USDC


def test_a_fee_cannot_exceed_what_a_seller_gets_even_without_a_cap(contracts):
    contracts.must(addresses.ADMIN, addresses.EXCHANGE, ("setMaxFeeRate", ("uint256",)), 0)
    sell = an_order(ALICE, SELL, YES, 10 * SHARE, 50 * CENTS)
    buy = an_order(BOB, BUY, YES, 10 * SHARE, 50 * CENTS)

    assert contracts.refusal(a_match(sell, buy, taker_fee=5 * USDC + 1)) == "FeeExceedsProceeds"
    assert contracts.refusal(a_match(buy, sell, maker_fees=(5 * USDC + 1,))) == "FeeExceedsProceeds"


def test_two_buyers_of_opposite_outcomes_mint_a_set(contracts):
    yes = an_order(ALICE, BUY, YES, 100 * SHARE, 62 * CENTS)
    no = an_order(BOB, BUY, NO, 100 * SHARE, 40 * CENTS)

    mined = contracts.settle(a_match(yes, no))

    assert events(mined, "PositionSplit")[0]["amount"] == 100 * SHARE
    assert contracts.shares(ALICE.address, YES) == 1_100 * SHARE
    assert contracts.shares(BOB.address, NO) == 1_100 * SHARE
    assert contracts.usdc(BOB.address) == 960 * USDC
    # The surplus over one dollar a set goes back to the taker, whose event tells what he really gave.
    assert contracts.usdc(ALICE.address) == 940 * USDC
    assert events(mined, "OrderFilled")[-1]["makerAmountFilled"] == 60 * USDC


def test_two_sellers_of_opposite_outcomes_merge_a_set(contracts):
    yes = an_order(ALICE, SELL, YES, 100 * SHARE, 55 * CENTS)
    no = an_order(BOB, SELL, NO, 100 * SHARE, 40 * CENTS)

    mined = contracts.settle(a_match(yes, no, taker_fee=USDC))

    assert events(mined, "PositionsMerge")[0]["amount"] == 100 * SHARE
    assert contracts.usdc(BOB.address) == 1_040 * USDC
    assert contracts.usdc(ALICE.address) == 1_059 * USDC
    assert contracts.shares(ALICE.address, YES) == contracts.shares(BOB.address, NO) == 900 * SHARE


def test_one_taker_meets_a_seller_and_a_minting_buyer_in_one_transaction(contracts):
    buy = an_order(ALICE, BUY, YES, 100 * SHARE, 60 * CENTS)
    seller = an_order(BOB, SELL, YES, 30 * SHARE, 60 * CENTS)
    minter = an_order(CAROL, BUY, NO, 70 * SHARE, 40 * CENTS)

    mined = contracts.settle(a_match(buy, seller, minter))

    assert [one["side"] for one in events(mined, "OrderFilled")] == [SELL, BUY, BUY]
    assert contracts.shares(ALICE.address, YES) == 1_100 * SHARE
    assert contracts.shares(CAROL.address, NO) == 1_070 * SHARE
    assert contracts.usdc(ALICE.address) == 940 * USDC
    assert contracts.usdc(addresses.EXCHANGE) == contracts.shares(addresses.EXCHANGE, YES) == 0


def test_money_and_shares_are_neither_made_nor_lost_by_matches(contracts):
    buy = an_order(ALICE, BUY, YES, 33_333_333, 61 * CENTS)
    contracts.settle(a_match(buy, an_order(BOB, BUY, NO, 33_333_333, 41 * CENTS), taker_fee=777))

    holders = [ALICE.address, BOB.address, CAROL.address, addresses.EXCHANGE, addresses.FEE_RECEIVER]
    cash = sum(contracts.usdc(one) for one in (*holders, addresses.CONDITIONAL_TOKENS))
    locked = contracts.usdc(addresses.CONDITIONAL_TOKENS)
    assert cash == 3 * 2_000 * USDC
    assert sum(contracts.shares(one, YES) for one in holders) == locked
    assert sum(contracts.shares(one, NO) for one in holders) == locked


def test_an_order_is_filled_in_parts_up_to_its_amount_and_no_further(contracts):
    sell = an_order(BOB, SELL, YES, 100 * SHARE, 50 * CENTS)
    parts = [an_order(ALICE, BUY, YES, 60 * SHARE, 50 * CENTS, salt=salt) for salt in (1, 2, 3)]

    first = contracts.refusal(a_match(parts[0], sell, maker_fills=(60 * SHARE,)))
    status = contracts.ask(
        addresses.EXCHANGE, ("getOrderStatus", ("bytes32",)), "(bool,uint248)", _hash(contracts, sell)
    )
    too_much = contracts.refusal(a_match(parts[1], sell, maker_fills=(60 * SHARE,)))
    rest = contracts.refusal(a_match(parts[2], sell, taker_fill=20 * USDC, maker_fills=(40 * SHARE,)))
    again = contracts.refusal(a_match(parts[1], sell, taker_fill=1, maker_fills=(2,)))
    end = contracts.ask(addresses.EXCHANGE, ("orderStatus", ("bytes32",)), "(bool,uint248)", _hash(contracts, sell))

    assert (first, too_much, rest, again) == ("", "MakingGtRemaining", "", "OrderAlreadyFilled")
    assert (status, end) == ((False, 40 * SHARE), (True, 0))


def _hash(contracts, order) -> bytes:
    return contracts.ask(addresses.EXCHANGE, ("hashOrder", (ORDER,)), "bytes32", order_tuple(order))


def test_what_an_order_takes_is_rounded_down(contracts):
    sell = an_order(BOB, SELL, YES, 3 * SHARE, 333_333)
    buy = an_order(ALICE, BUY, YES, 3 * SHARE, 333_333)

    mined = contracts.settle(a_match(buy, sell, taker_fill=333_333, maker_fills=(1_000_001,)))

    assert events(mined, "OrderFilled")[0]["takerAmountFilled"] == 1_000_001 * 999_999 // 3_000_000


BUY_10 = an_order(ALICE, BUY, YES, 10 * SHARE, 50 * CENTS)
SELL_10 = an_order(BOB, SELL, YES, 10 * SHARE, 50 * CENTS)
STOLEN = replace(BUY_10, signature=SELL_10.signature)


def _mirrored(signature: bytes) -> bytes:
    """The other valid signature of the same hash: (r, n - s, flipped v)."""
    s = CURVE - int.from_bytes(signature[32:64], "big")
    assert s > HALF_CURVE
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])


REFUSALS = {
    "prices that do not cross": (a_match(an_order(ALICE, BUY, YES, 10 * SHARE, 49 * CENTS), SELL_10), "NotCrossing"),
    "buyers who do not pay a set": (
        a_match(BUY_10, an_order(BOB, BUY, NO, 10 * SHARE, 49 * CENTS)),
        "NotCrossing",
    ),
    "sellers who want more than a set": (
        a_match(an_order(ALICE, SELL, YES, 10 * SHARE, 51 * CENTS), an_order(BOB, SELL, NO, 10 * SHARE, 50 * CENTS)),
        "NotCrossing",
    ),
    "different tokens": (a_match(BUY_10, an_order(BOB, SELL, NO, 10 * SHARE, 50 * CENTS)), "MismatchedTokenIds"),
    "two buyers of one token": (a_match(BUY_10, an_order(BOB, BUY, YES, 10 * SHARE, 50 * CENTS)), "MismatchedTokenIds"),
    "a token of another condition": (a_match(BUY_10, SELL_10, condition_id="0x" + "11" * 32), "MismatchedTokenIds"),
    "no makers": (a_match(BUY_10), "NoMakerOrders"),
    "arrays of different lengths": (a_match(BUY_10, SELL_10, maker_fees=()), "MismatchedArrayLengths"),
    "a signature of somebody else": (a_match(STOLEN, SELL_10), "InvalidSignature"),
    "the mirror image of a signature": (
        a_match(replace(BUY_10, signature=_mirrored(BUY_10.signature)), SELL_10),
        "InvalidSignature",
    ),
    "a signature that is cut short": (
        a_match(replace(BUY_10, signature=BUY_10.signature[:64]), SELL_10),
        "InvalidSignature",
    ),
    "a field changed after signing": (a_match(replace(BUY_10, salt=2), SELL_10), "InvalidSignature"),
    "another kind of wallet": (
        a_match(resigned(replace(BUY_10, signature_type=1), ALICE), SELL_10),
        "InvalidSignature",
    ),
    "more than the order": (a_match(BUY_10, SELL_10, taker_fill=5 * USDC + 1), "MakingGtRemaining"),
    "a fee above the cap": (a_match(BUY_10, SELL_10, taker_fee=500_001), "FeeExceedsMaxRate"),
    "makers who take more than the taker gives": (
        a_match(BUY_10, SELL_10, taker_fill=4 * USDC),
        "ComplementaryFillExceedsTakerFill",
    ),
    "makers who give less than the taker wants": (
        a_match(BUY_10, SELL_10, maker_fills=(9 * SHARE,)),
        "TooLittleTokensReceived",
    ),
    "an order for nothing": (
        a_match(resigned(replace(BUY_10, maker_amount=0), ALICE), SELL_10),
        "ZeroMakerAmount",
    ),
}


@pytest.mark.parametrize(("match", "name"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_bad_match_is_reverted_by_name(contracts, match, name):
    assert contracts.refusal(match) == name


def test_a_fee_beyond_the_proceeds_is_reverted_where_no_rate_caps_it(contracts):
    sale = an_order(ALICE, SELL, YES, 10 * SHARE, 50 * CENTS)
    bid = an_order(BOB, BUY, YES, 10 * SHARE, 50 * CENTS)
    contracts.must(addresses.ADMIN, addresses.EXCHANGE, ("setMaxFeeRate", ("uint256",)), 0)

    assert contracts.refusal(a_match(sale, bid, taker_fee=5 * USDC + 1)) == "FeeExceedsProceeds"
    assert contracts.refusal(a_match(sale, bid, taker_fee=5 * USDC)) == ""


def test_a_buyer_who_moved_his_money_away_fails_the_match_and_nothing_moves(contracts):
    contracts.must(ALICE.address, addresses.COLLATERAL, ("transfer", ("address", "uint256")), CAROL.address, 999 * USDC)

    assert contracts.refusal(a_match(BUY_10, SELL_10)) == "InsufficientBalance"
    assert contracts.shares(BOB.address, YES) == 1_000 * SHARE


def test_a_wallet_that_did_not_approve_cannot_be_charged(contracts):
    contracts.must(ALICE.address, addresses.COLLATERAL, ("approve", ("address", "uint256")), addresses.EXCHANGE, 0)

    assert contracts.refusal(a_match(BUY_10, SELL_10)) == "InsufficientAllowance"


def test_only_operators_match_and_only_admins_make_them(contracts):
    from services.venue.onchain import match_calldata

    refused = contracts.send_data(ALICE.address, addresses.EXCHANGE, match_calldata(a_match(BUY_10, SELL_10)))
    promoted = contracts.send(ALICE.address, addresses.EXCHANGE, ("addOperator", ("address",)), ALICE.address)

    assert not refused.ok
    assert not promoted.ok
    assert refused.output == keccak(text="NotOperator()")[:4]
    assert promoted.output == keccak(text="NotAdmin()")[:4]


def test_a_user_who_paused_cannot_be_matched_once_the_pause_takes_effect(contracts):
    contracts.must(addresses.ADMIN, addresses.EXCHANGE, ("setUserPauseBlockInterval", ("uint256",)), 2)
    contracts.must(BOB.address, addresses.EXCHANGE, ("pauseUser", ()))
    half = {"taker_fill": 2 * USDC, "maker_fills": (4 * SHARE,)}

    before = contracts.refusal(a_match(BUY_10, SELL_10, **half))
    contracts.chain.seal(0)
    contracts.chain.seal(0)

    assert before == ""
    assert contracts.ask(addresses.EXCHANGE, ("isUserPaused", ("address",)), "bool", BOB.address)
    assert contracts.refusal(a_match(BUY_10, SELL_10, **half)) == "UserIsPaused"


def test_paused_trading_settles_nothing(contracts):
    contracts.must(addresses.ADMIN, addresses.EXCHANGE, ("pauseTrading", ()))

    assert contracts.refusal(a_match(BUY_10, SELL_10)) == "Paused"
