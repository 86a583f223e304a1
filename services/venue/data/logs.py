"""The chain's logs as the venue's own contracts write them: what was filled, moved, split, merged, redeemed, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern
from typing import Any, cast

from eth_utils.crypto import keccak

from services.venue.node import addresses, calldata

NOBODY = "0x" + "0" * 40


def _topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


FILLED = _topic("OrderFilled(bytes32,address,address,uint8,uint256,uint256,uint256,uint256,bytes32,bytes32)")
SINGLE = _topic("TransferSingle(address,address,address,uint256,uint256)")
BATCH = _topic("TransferBatch(address,address,address,uint256[],uint256[])")
SPLIT = _topic("PositionSplit(address,address,bytes32,bytes32,uint256[],uint256)")
MERGE = _topic("PositionsMerge(address,address,bytes32,bytes32,uint256[],uint256)")
REDEEM = _topic("PayoutRedemption(address,address,bytes32,bytes32,uint256[],uint256)")
RESOLVED = _topic("ConditionResolution(bytes32,address,bytes32,uint256,uint256[])")
PREPARED = _topic("ConditionPreparation(bytes32,address,bytes32,uint256)")
# The second protocol's router and position manager, whose conditions are 31 bytes; the neg-risk adapter tells in the same words.
ROUTED_SPLIT = _topic("PositionSplit(address,bytes32,uint256)")
ROUTED_MERGE = _topic("PositionsMerge(address,bytes32,uint256)")
ROUTED_REDEEM = _topic("PayoutRedemption(address,bytes32,uint256[],uint256)")
MANAGER_RESOLVED = _topic("ConditionResolved(bytes32,address,uint256[])")
# The neg-risk adapter's exchange of NO shares for the others' YES.
CONVERTED = _topic("PositionsConverted(address,bytes32,uint256,uint256)")
TOPICS = (
    FILLED,
    SINGLE,
    BATCH,
    SPLIT,
    MERGE,
    REDEEM,
    RESOLVED,
    PREPARED,
    ROUTED_SPLIT,
    ROUTED_MERGE,
    ROUTED_REDEEM,
    MANAGER_RESOLVED,
    CONVERTED,
)
_KINDS = {
    SPLIT: "SPLIT",
    ROUTED_SPLIT: "SPLIT",
    MERGE: "MERGE",
    ROUTED_MERGE: "MERGE",
    REDEEM: "REDEEM",
    ROUTED_REDEEM: "REDEEM",
    CONVERTED: "CONVERSION",
}
_SHORT_CONDITION = 2 + 62
_ADAPTER = addresses.NEG_RISK_ADAPTER.lower()


@dataclass(frozen=True, slots=True)
class Log:
    """One log, addresses in lower case; `place` orders it within its block."""

    address: str
    topics: tuple[str, ...]
    data: str
    tx_hash: str
    tx_index: int
    log_index: int

    @property
    def place(self) -> int:
        return self.tx_index * 100_000 + self.log_index * 10


@dataclass(frozen=True, slots=True)
class Block:
    """A block with the logs that matter here, in their order."""

    number: int
    hash: str
    timestamp: int
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """An order's part of a match; `making` is what its maker gave, in millionths of its asset."""

    order_hash: str
    maker: str
    counterparty: str
    is_buy: bool
    token_id: str
    making_micros: int
    taking_micros: int
    fee_micros: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Shares that went from one wallet to another; NOBODY mints and burns."""

    sender: str
    receiver: str
    token_id: str
    shares_micros: int


@dataclass(frozen=True, slots=True)
class Converted:
    """A SPLIT, MERGE, REDEEM or CONVERSION that was done for `holder`; the amount is sets, shares, or the payout."""

    kind: str
    holder: str
    condition_id: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a share of each outcome pays, as numerators of their sum."""

    condition_id: str
    question_id: str
    numerators: tuple[int, ...]


def read_log(log: dict[str, Any]) -> Log:
    """A log as the node's JSON has it."""
    return Log(
        address=str(log["address"]).lower(),
        topics=tuple(cast(list[str], log["topics"])),
        data=str(log["data"]),
        tx_hash=str(log["transactionHash"]),
        tx_index=int(log["transactionIndex"], 16),
        log_index=int(log["logIndex"], 16),
    )


def read_filled(log: Log) -> Filled:
    side, token, making, taking, fee = _words(log.data, 5)
    return Filled(
        order_hash=log.topics[1],
        maker=_address(log.topics[2]),
        counterparty=_address(log.topics[3]),
        is_buy=side == 0,
        token_id=intern(str(token)),
        making_micros=making,
        taking_micros=taking,
        fee_micros=fee,
    )


def read_moves(log: Log) -> list[Moved]:
    """A transfer of one token or of several."""
    sender, receiver = _address(log.topics[2]), _address(log.topics[3])
    if log.topics[0] == SINGLE:
        token, amount = _words(log.data, 2)
        return [Moved(sender, receiver, intern(str(token)), amount)]
    tokens, amounts = calldata.read(["uint256[]", "uint256[]"], log.data)
    return [Moved(sender, receiver, intern(str(token)), amount) for token, amount in zip(tokens, amounts, strict=True)]


def read_converted(log: Log) -> Converted:
    """A conversion; that of the neg-risk adapter is of no condition."""
    kind, holder = _KINDS[log.topics[0]], _address(log.topics[1])
    if log.topics[0] == REDEEM:
        condition, _, payout = calldata.read(["bytes32", "uint256[]", "uint256"], log.data)
        return Converted(kind, holder, "0x" + cast(bytes, condition).hex(), int(payout))
    if log.topics[0] == ROUTED_REDEEM:
        _, payout = calldata.read(["uint256[]", "uint256"], log.data)
        return Converted(kind, holder, _routed_condition(log), int(payout))
    if log.topics[0] in (ROUTED_SPLIT, ROUTED_MERGE):
        return Converted(kind, holder, _routed_condition(log), _words(log.data, 1)[0])
    if log.topics[0] == CONVERTED:
        return Converted(kind, holder, "", _words(log.data, 1)[0])
    _, _, amount = calldata.read(["address", "uint256[]", "uint256"], log.data)
    return Converted(kind, holder, log.topics[3], int(amount))


def read_resolved(log: Log) -> Resolved:
    if log.topics[0] == MANAGER_RESOLVED:
        (numerators,) = calldata.read(["uint256[]"], log.data)
        condition = question = log.topics[1][:_SHORT_CONDITION]
    else:
        _, numerators = calldata.read(["uint256", "uint256[]"], log.data)
        condition, question = log.topics[1], log.topics[3]
    return Resolved(condition, question, tuple(int(one) for one in numerators))


def _routed_condition(log: Log) -> str:
    return log.topics[2] if log.address == _ADAPTER else log.topics[2][:_SHORT_CONDITION]


def _address(topic: str) -> str:
    return intern("0x" + topic[-40:].lower())


def _words(data: str, count: int) -> list[int]:
    return [int(data[2 + 64 * place : 66 + 64 * place], 16) for place in range(count)]
