"""Conditional tokens and collateral of the local chain: sets, payouts, and who may move what."""

import pytest
from eth_utils.crypto import keccak

from services.venue.bank import UNLIMITED
from services.venue.conditions import BINARY, NO_PARENT
from services.venue.node import addresses
from tests.venue_chain import ALICE, BOB, CAROL, CONDITION, NO, QUESTION, SHARE, USDC, YES, Contracts, events

CONDITION_BYTES = bytes.fromhex(CONDITION[2:])


@pytest.fixture
def contracts() -> Contracts:
    return Contracts()


def test_a_resolved_condition_pays_each_share_its_part(contracts):
    contracts.must(
        addresses.ORACLE, addresses.CONDITIONAL_TOKENS, ("reportPayouts", ("bytes32", "uint256[]")), QUESTION, [3, 1]
    )
    redeem = ("redeemPositions", ("address", "bytes32", "bytes32", "uint256[]"))
    mined = contracts.must(
        ALICE.address, addresses.CONDITIONAL_TOKENS, redeem, addresses.COLLATERAL, NO_PARENT, CONDITION_BYTES, [1]
    )

    assert events(mined, "PayoutRedemption")[0]["payout"] == 750 * USDC
    assert contracts.usdc(ALICE.address) == 1_750 * USDC
    assert (contracts.shares(ALICE.address, YES), contracts.shares(ALICE.address, NO)) == (0, 1_000 * SHARE)


def test_nothing_is_redeemed_before_a_condition_is_resolved(contracts):
    redeem = ("redeemPositions", ("address", "bytes32", "bytes32", "uint256[]"))
    mined = contracts.send(
        ALICE.address, addresses.CONDITIONAL_TOKENS, redeem, addresses.COLLATERAL, NO_PARENT, CONDITION_BYTES, BINARY
    )

    assert mined.output == keccak(text="PayoutNotReported()")[:4]


def test_only_the_oracle_resolves_and_only_once(contracts):
    report = ("reportPayouts", ("bytes32", "uint256[]"))
    stranger = contracts.send(ALICE.address, addresses.CONDITIONAL_TOKENS, report, QUESTION, [1, 0])
    contracts.must(addresses.ORACLE, addresses.CONDITIONAL_TOKENS, report, QUESTION, [1, 0])
    twice = contracts.send(addresses.ORACLE, addresses.CONDITIONAL_TOKENS, report, QUESTION, [0, 1])

    assert stranger.output == keccak(text="ConditionNotPrepared()")[:4]
    assert twice.output == keccak(text="PayoutAlreadyReported()")[:4]


def test_merging_needs_both_shares(contracts):
    move = ("safeTransferFrom", ("address", "address", "uint256", "uint256", "bytes"))
    merge = ("mergePositions", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
    tokens = addresses.CONDITIONAL_TOKENS
    contracts.must(ALICE.address, tokens, move, ALICE.address, BOB.address, NO, 999 * SHARE, b"")
    arguments = (addresses.COLLATERAL, NO_PARENT, CONDITION_BYTES, BINARY)

    too_much = contracts.send(ALICE.address, tokens, merge, *arguments, 2 * USDC)
    contracts.must(ALICE.address, tokens, merge, *arguments, USDC)

    assert too_much.output == keccak(text="InsufficientBalance()")[:4]
    assert contracts.usdc(ALICE.address) == 1_001 * USDC


def test_shares_move_only_with_their_owners_leave(contracts):
    move = ("safeTransferFrom", ("address", "address", "uint256", "uint256", "bytes"))
    mined = contracts.send(
        CAROL.address, addresses.CONDITIONAL_TOKENS, move, ALICE.address, CAROL.address, YES, SHARE, b""
    )

    assert mined.output == keccak(text="NotApproved()")[:4]


def test_balances_of_many_are_read_at_once(contracts):
    asked = ("balanceOfBatch", ("address[]", "uint256[]"))
    owners, ids = [ALICE.address, BOB.address, addresses.ORACLE], [YES, NO, YES]

    held = contracts.ask(addresses.CONDITIONAL_TOKENS, asked, "uint256[]", owners, ids)

    assert list(held) == [1_000 * SHARE, 1_000 * SHARE, 0]


def test_only_the_owner_mints_collateral(contracts):
    mined = contracts.send(
        ALICE.address, addresses.COLLATERAL, ("mint", ("address", "uint256")), ALICE.address, UNLIMITED
    )

    assert mined.output == keccak(text="Unauthorized()")[:4]
