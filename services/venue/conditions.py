"""What markets are made of on chain: the ids of conditions and shares, and who prepares, splits, merges, redeems and resolves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from services.venue.contracts import NEG_RISK, POSITIONS, STANDARD, Contract
from services.venue.node import addresses, calldata
from services.venue.node.calldata import Signature

BINARY = [1, 2]
NO_PARENT = b"\0" * 32
# The first byte of a position id: the module that made the condition (venue.md 12).
BINARY_MODULE, NEG_RISK_MODULE = 1, 2
HASHED_BYTES = 18
PADDING = bytes(12)

_PREPARE: Signature = ("prepareCondition", ("address", "bytes32", "uint256"))
_PREPARE_MARKET: Signature = ("prepareMarket", ("uint256", "bytes"))
_PREPARE_QUESTION: Signature = ("prepareQuestion", ("bytes32", "bytes"))
_PREPARE_POSITION: Signature = ("prepareCondition", ("bytes31",))
_REPORT: Signature = ("reportPayouts", ("bytes32", "uint256[]"))
_REPORT_OUTCOME: Signature = ("reportOutcome", ("bytes32", "bool"))
_REPORT_POSITION: Signature = ("reportPayouts", ("bytes31", "uint256[2]"))
_SPLIT: Signature = ("splitPosition", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
_MERGE: Signature = ("mergePositions", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
_REDEEM: Signature = ("redeemPositions", ("address", "bytes32", "bytes32", "uint256[]"))
_SPLIT_POSITION: Signature = ("split", ("bytes31", "uint256"))
_MERGE_POSITION: Signature = ("merge", ("bytes31", "uint256"))
_REDEEM_POSITION: Signature = ("redeem", ("bytes31", "uint256", "uint256"))
_AUTO_REDEEM: Signature = ("redeem", ("address", "bytes32"))
_AUTO_REDEEM_NEG_RISK: Signature = ("redeemNegRisk", ("address", "bytes32"))
_AUTO_REDEEM_POSITION: Signature = ("redeemPosition", ("address", "bytes31"))


@dataclass(frozen=True, slots=True)
class Send:
    """One transaction of any account, unsigned."""

    sender: str
    to: str
    data: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One question on chain; `tokens` are (yes, no), `market_id` is that of a neg-risk market, 0x… or empty."""

    condition_id: str
    question_id: bytes
    tokens: tuple[int, int]
    contract: Contract
    market_id: str = ""

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.condition_id[2:])


def standard(question: bytes, oracle: str = addresses.ORACLE) -> Condition:
    """A binary question over pUSD."""
    condition = condition_id(question, oracle)
    return Condition(condition, question, token_ids(condition), STANDARD)


def neg_risk(market_id: bytes, index: int) -> Condition:
    """A question of a neg-risk market, which is over wrapped collateral; the last byte of its id is its number."""
    question = market_id[:31] + bytes([index])
    condition = condition_id(question, addresses.NEG_RISK_ADAPTER)
    return Condition(
        condition, question, token_ids(condition, addresses.WRAPPED_COLLATERAL), NEG_RISK, "0x" + market_id.hex()
    )


def position(question: bytes, module: int = BINARY_MODULE) -> Condition:
    """A question of protocol v2: its condition is 31 bytes, its positions are those and the number of the outcome."""
    raw = bytes([module]) + keccak(question)[:HASHED_BYTES] + PADDING
    yes = int.from_bytes(raw + b"\0", "big")
    return Condition("0x" + raw.hex(), question, (yes, yes + 1), POSITIONS)


def neg_risk_market_id(metadata: bytes, oracle: str = addresses.ORACLE) -> bytes:
    """The id that the adapter gives a market without fees; its last byte is left to the questions."""
    return keccak(encode(["address", "uint256", "bytes"], [oracle, 0, metadata]))[:31] + b"\0"


def condition_id(question_id: bytes, oracle: str = addresses.ORACLE) -> str:
    """The id that the conditional tokens give a binary question of an oracle, 0x…"""
    return "0x" + keccak(bytes.fromhex(oracle[2:]) + question_id + (2).to_bytes(32, "big")).hex()


def token_ids(condition: str, backing: str = addresses.COLLATERAL) -> tuple[int, int]:
    """The (yes, no) positions of a condition over a collateral."""
    yes, no = (_position(bytes.fromhex(condition[2:]), index_set, backing) for index_set in BINARY)
    return yes, no


def known_by_id(condition: str) -> Condition:
    """What can be told from an id alone: protocol v2 by its length, everything else as an ordinary condition."""
    raw = bytes.fromhex(condition[2:])
    if len(raw) < 32:
        yes = int.from_bytes(raw + b"\0", "big")
        return Condition(condition, b"", (yes, yes + 1), POSITIONS)
    return Condition(condition, b"", token_ids(condition), STANDARD)


def preparing(condition: Condition) -> Send:
    """The question's preparation; that of a neg-risk market comes before, and its questions are prepared in order."""
    if condition.contract is NEG_RISK:
        data = calldata.write(_PREPARE_QUESTION, bytes.fromhex(condition.market_id[2:]), b"")
        return Send(addresses.ORACLE, addresses.NEG_RISK_ADAPTER, data)
    if condition.contract is POSITIONS:
        data = calldata.write(_PREPARE_POSITION, condition.raw)
        return Send(addresses.ORACLE, addresses.POSITION_MANAGER, data)
    data = calldata.write(_PREPARE, addresses.ORACLE, condition.question_id, 2)
    return Send(addresses.ADMIN, addresses.CONDITIONAL_TOKENS, data)


def preparing_market(metadata: bytes) -> Send:
    """The preparation of a neg-risk market."""
    data = calldata.write(_PREPARE_MARKET, 0, metadata)
    return Send(addresses.ORACLE, addresses.NEG_RISK_ADAPTER, data)


def resolving(condition: Condition, payouts: Sequence[int]) -> Send:
    """The oracle's answer; ValueError for a neg-risk question that is to be neither yes nor no."""
    if condition.contract is NEG_RISK:
        if list(payouts) not in ([1, 0], [0, 1]):
            raise ValueError("a neg-risk market pays 1:0 or 0:1")
        data = calldata.write(_REPORT_OUTCOME, condition.question_id, payouts[0] == 1)
        return Send(addresses.ORACLE, addresses.NEG_RISK_ADAPTER, data)
    if condition.contract is POSITIONS:
        data = calldata.write(_REPORT_POSITION, condition.raw, list(payouts))
        return Send(addresses.ORACLE, addresses.POSITION_MANAGER, data)
    data = calldata.write(_REPORT, condition.question_id, list(payouts))
    return Send(addresses.ORACLE, addresses.CONDITIONAL_TOKENS, data)


def splitting(wallet: str, condition: Condition, micros: int) -> Send:
    """Money into sets, by the wallet itself."""
    if condition.contract is POSITIONS:
        return Send(wallet, addresses.ROUTER, calldata.write(_SPLIT_POSITION, condition.raw, micros))
    data = calldata.write(_SPLIT, addresses.COLLATERAL, NO_PARENT, condition.raw, BINARY, micros)
    return Send(wallet, _splitter(condition), data)


def merging(wallet: str, condition: Condition, micros: int) -> Send:
    """Sets into money."""
    if condition.contract is POSITIONS:
        return Send(wallet, addresses.ROUTER, calldata.write(_MERGE_POSITION, condition.raw, micros))
    data = calldata.write(_MERGE, addresses.COLLATERAL, NO_PARENT, condition.raw, BINARY, micros)
    return Send(wallet, _splitter(condition), data)


def redeeming(wallet: str, condition: Condition, held: Sequence[int]) -> list[Send]:
    """Everything that a wallet has of a resolved condition into money; `held` are its (yes, no) shares."""
    if condition.contract is POSITIONS:
        return [
            Send(wallet, addresses.ROUTER, calldata.write(_REDEEM_POSITION, condition.raw, outcome, micros))
            for outcome, micros in enumerate(held)
            if micros
        ]
    data = calldata.write(_REDEEM, addresses.COLLATERAL, NO_PARENT, condition.raw, BINARY)
    return [Send(wallet, _splitter(condition), data)]


def redeeming_for(wallet: str, condition: Condition) -> Send:
    """The same by the auto-redeemer, which the wallet has approved."""
    named = {STANDARD: _AUTO_REDEEM, NEG_RISK: _AUTO_REDEEM_NEG_RISK, POSITIONS: _AUTO_REDEEM_POSITION}
    data = calldata.write(named[condition.contract], wallet, condition.raw)
    return Send(addresses.OPERATOR, addresses.AUTO_REDEEMER, data)


def spenders(contract: Contract) -> tuple[str, ...]:
    """Whom a wallet lets take its money, to trade and to split."""
    if contract is STANDARD:
        return (contract.exchange, contract.tokens)
    return (contract.exchange, contract.adapter)


def movers(contract: Contract) -> tuple[str, ...]:
    """Whom a wallet lets move its shares, to trade and to merge."""
    return (contract.exchange,) if contract is STANDARD else (contract.exchange, contract.adapter)


def _splitter(condition: Condition) -> str:
    # An ordinary set needs no adapter here, where the conditional tokens are over pUSD themselves.
    return condition.contract.tokens if condition.contract is STANDARD else condition.contract.adapter


def _position(condition: bytes, index_set: int, backing: str) -> int:
    collection = keccak(condition + index_set.to_bytes(32, "big"))
    return int.from_bytes(keccak(bytes.fromhex(backing[2:]) + collection), "big")
