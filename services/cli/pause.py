"""`polycopy pause-user`: the chain-level stop, signed in advance. Mined, it keeps the exchanges from settling orders of the key's wallet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from services.cli.failure import CannotRun

PAUSE, UNPAUSE = "pauseUser()", "unpauseUser()"
GAS = 120_000
"""Twice what the exchange takes for either."""

GWEI = 10**9
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the transactions are signed for: the chain, the first one's place among the wallet's, and the most that their gas may cost."""

    chain_id: int
    nonce: int
    max_fee_gwei: int
    tip_gwei: int


@dataclass(frozen=True, slots=True)
class Presigned:
    """One transaction that anybody may send, once."""

    exchange: str
    nonce: int
    raw: str


def presigned(key: bytes, exchanges: Sequence[str], terms: Terms, *, unpause: bool = False) -> tuple[Presigned, ...]:
    """One transaction for each exchange, to be sent in this order."""
    call = "0x" + keccak(text=UNPAUSE if unpause else PAUSE)[:4].hex()
    return tuple(_signed(key, at, call, terms, terms.nonce + place) for place, at in enumerate(exchanges))


def _signed(key: bytes, exchange: str, call: str, terms: Terms, nonce: int) -> Presigned:
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": terms.chain_id,
        "nonce": nonce,
        "to": to_checksum_address(exchange),
        "value": 0,
        "data": call,
        "gas": GAS,
        "maxFeePerGas": terms.max_fee_gwei * GWEI,
        "maxPriorityFeePerGas": min(terms.tip_gwei, terms.max_fee_gwei) * GWEI,
    }
    raw = Account.from_key(key).sign_transaction(fields).raw_transaction
    return Presigned(exchange, nonce, "0x" + bytes(raw).hex())


def asked(rpc_url: str, key: bytes, chain_id: int) -> int:
    """The wallet's next nonce, by a node of that chain. Raises `CannotRun`."""
    address = Account.from_key(key).address
    found = _answer(rpc_url, "eth_chainId")
    if found != chain_id:
        raise CannotRun(f"{rpc_url} is a node of chain {found}, expected {chain_id}; --chain-id says another")
    return _answer(rpc_url, "eth_getTransactionCount", address, "latest")


def _answer(rpc_url: str, method: str, *arguments: str) -> int:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(arguments)}
    try:
        answer: Any = httpx.post(rpc_url, json=body, timeout=PATIENCE_S).json()
        return int(answer["result"], 16)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError) as error:
        raise CannotRun(f"{rpc_url} does not answer {method}: {type(error).__name__}; --nonce does without") from None
