"""JSON as an Ethereum node writes it: lower-case hex, quantities without leading zeros."""

from __future__ import annotations

from typing import Any

from services.venue.node.addresses import CHAIN_ID
from services.venue.node.block import Block, Log, Mined, Transaction

Json = dict[str, Any]

# The hashes of "no uncles" and of an empty nonce, as every block since the merge carries them.
_NO_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
_NO_NONCE = "0x0000000000000000"
_NO_MIX = "0x" + "0" * 64


def quantity(number: int) -> str:
    return hex(number)


def data(value: bytes) -> str:
    return "0x" + value.hex()


def header(block: Block) -> Json:
    """A newHeads frame; also the first half of a whole block."""
    return {
        "number": quantity(block.number),
        "hash": data(block.hash),
        "parentHash": data(block.parent_hash),
        "sha3Uncles": _NO_UNCLES,
        "logsBloom": data(block.bloom.to_bytes(256, "big")),
        "transactionsRoot": data(block.transactions_root),
        "stateRoot": data(block.state_root),
        "receiptsRoot": data(block.receipts_root),
        "miner": data(block.coinbase),
        "difficulty": "0x0",
        "extraData": data(block.extra_data),
        "gasLimit": quantity(block.gas_limit),
        "gasUsed": quantity(block.gas_used),
        "timestamp": quantity(block.timestamp),
        "mixHash": _NO_MIX,
        "nonce": _NO_NONCE,
        "baseFeePerGas": quantity(block.base_fee),
    }


def block(sealed: Block, *, whole: bool) -> Json:
    """eth_getBlockBy…: with transactions when `whole`, else with their hashes."""
    if whole:
        listed: list[Any] = [transaction(mined.transaction, sealed, mined.index) for mined in sealed.mined]
    else:
        listed = [data(mined.transaction.hash) for mined in sealed.mined]
    return header(sealed) | {
        "totalDifficulty": "0x0",
        "size": quantity(sealed.size),
        "transactions": listed,
        "uncles": [],
    }


def transaction(shown: Transaction, within: Block | None, index: int | None) -> Json:
    """eth_getTransactionByHash; block fields are null while it is pending."""
    v, r, s = shown.signature
    shape: Json = {
        "blockHash": data(within.hash) if within else None,
        "blockNumber": quantity(within.number) if within else None,
        "transactionIndex": quantity(index) if index is not None else None,
        "hash": data(shown.hash),
        "from": data(shown.sender),
        "to": data(shown.to) if shown.to else None,
        "nonce": quantity(shown.nonce),
        "gas": quantity(shown.gas),
        "gasPrice": quantity(shown.gas_price),
        "value": quantity(shown.value),
        "input": data(shown.data),
        "type": quantity(shown.kind),
        "v": quantity(v),
        "r": quantity(r),
        "s": quantity(s),
        "chainId": quantity(CHAIN_ID),
    }
    if shown.kind >= 2:
        shape |= {"maxFeePerGas": quantity(shown.max_fee), "maxPriorityFeePerGas": quantity(shown.max_priority_fee)}
    if shown.kind >= 1:
        shape |= {"accessList": [], "yParity": quantity(v)}
    return shape


def receipt(mined: Mined, within: Block) -> Json:
    """eth_getTransactionReceipt; a failed one also says what it reverted with."""
    sent = mined.transaction
    shape: Json = {
        "transactionHash": data(sent.hash),
        "transactionIndex": quantity(mined.index),
        "blockHash": data(within.hash),
        "blockNumber": quantity(within.number),
        "from": data(sent.sender),
        "to": data(sent.to) if sent.to else None,
        "contractAddress": None,
        "cumulativeGasUsed": quantity(mined.cumulative_gas),
        "gasUsed": quantity(mined.gas_used),
        "effectiveGasPrice": quantity(min(sent.max_fee, within.base_fee + sent.max_priority_fee)),
        "logs": [log(one, within) for one in mined.logs],
        "logsBloom": data(mined.bloom.to_bytes(256, "big")),
        "status": quantity(int(mined.ok)),
        "type": quantity(sent.kind),
    }
    return shape if mined.ok else shape | {"revertReason": data(mined.output)}


def log(one: Log, within: Block, *, removed: bool = False) -> Json:
    """A log as eth_getLogs, receipts and log subscriptions give it; `removed` where a reorg took it back."""
    return {
        "address": data(one.address),
        "blockHash": data(within.hash),
        "blockNumber": quantity(within.number),
        "blockTimestamp": quantity(within.timestamp),
        "data": data(one.data),
        "logIndex": quantity(one.index),
        "removed": removed,
        "topics": [data(topic) for topic in one.topics],
        "transactionHash": data(one.transaction_hash),
        "transactionIndex": quantity(one.transaction_index),
    }
