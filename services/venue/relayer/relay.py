"""Doing what owners have signed: wallets put on the chain, their calls sent, every transaction followed until it is final."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.venue.accounts import Kind
from services.venue.deployments import Deployments
from services.venue.node import addresses, artifacts, calldata
from services.venue.node.client import Node
from services.venue.node.reasons import reason
from services.venue.refusals import Refusal
from services.venue.relayer.requests import Creation, Errand

CONFIRM_DEPTH = 2
REMEMBERED = 10_000
# Of a transaction that the chain lost to a reorg, or forgot before anybody asked.
LOST = "the chain does not know the transaction any more"
CODE = {Kind.PROXY: "wallet_proxy", Kind.SAFE: "wallet_safe", Kind.DEPOSIT: "wallet_deposit"}

_INITIALIZE = ("initialize", ("address",))
_NONCE = ("nonce", ())


class State(StrEnum):
    """How far a transaction is, in the relayer's words."""

    NEW = "STATE_NEW"
    EXECUTED = "STATE_EXECUTED"
    MINED = "STATE_MINED"
    CONFIRMED = "STATE_CONFIRMED"
    FAILED = "STATE_FAILED"


@dataclass(slots=True)
class Relayed:
    """One transaction that was sent for a wallet."""

    transaction_id: str
    owner: str
    wallet: str
    tx_hash: str
    state: State = State.EXECUTED
    error: str = ""

    @property
    def is_mined(self) -> bool:
        return self.state in (State.MINED, State.CONFIRMED, State.FAILED)


class Relay:
    """One transaction of a wallet at a time; `changed` hears of a wallet that was moved. Methods raise `Refusal` in the relayer's
    words, and the node's errors."""

    def __init__(
        self,
        node: Node,
        deployments: Deployments,
        seed: int,
        now_ms: Callable[[], int],
        changed: Callable[[str], Awaitable[object]],
    ) -> None:
        self._node = node
        self._deployments = deployments
        self._seed = seed
        self._now_ms = now_ms
        self._changed = changed
        self._sent: OrderedDict[str, Relayed] = OrderedDict()
        self._last: OrderedDict[str, Relayed] = OrderedDict()
        self._count = 0
        self._line = asyncio.Lock()

    async def nonce(self, wallet: str) -> int:
        """The number of the wallet's next transaction, 0 as long as it is not deployed."""
        answer = await self._node.call("eth_call", {"to": wallet, "data": calldata.write(_NONCE)}, "latest")
        return calldata.read(["uint256"], answer)[0] if answer != "0x" else 0

    async def create(self, wanted: Creation) -> Relayed:
        """Lay the wallet's code at its address and make the signer its owner."""
        async with self._line:
            await self._require_idle(wanted.wallet)
            if await self._deployments.has(wanted.wallet):
                raise Refusal("wallet is already deployed")
            return await self._deploy(wanted)

    async def submit(self, errand: Errand) -> Relayed:
        """Send what the wallet is to do."""
        async with self._line:
            await self._require_idle(errand.wallet)
            if not await self._deployments.has(errand.wallet):
                await self._deploy_first(errand)
            known = await self.nonce(errand.wallet)
            if errand.nonce != known:
                raise Refusal(f"batch nonce {errand.nonce} does not match on-chain nonce {known}")
            if errand.deadline and errand.deadline * 1000 < self._now_ms():
                raise Refusal("batch deadline has passed")
            return await self._send(errand.owner, errand.wallet, errand.data)

    async def find(self, transaction_id: str) -> Relayed | None:
        """A transaction as it stands now."""
        found = self._sent.get(transaction_id)
        if found is not None:
            await self._follow(found)
        return found

    async def _deploy_first(self, errand: Errand) -> None:
        # The proxy factory makes a wallet with its first call; the others are asked for.
        if errand.kind is not Kind.PROXY:
            raise Refusal("wallet is not deployed")
        await self._deploy(Creation(errand.owner, errand.wallet, errand.kind))

    async def _deploy(self, wanted: Creation) -> Relayed:
        code = "0x" + artifacts.load(CODE[wanted.kind]).runtime.hex()
        await self._node.call("evm_setCode", wanted.wallet, code)
        return await self._send(wanted.owner, wanted.wallet, calldata.write(_INITIALIZE, wanted.owner))

    async def _require_idle(self, wallet: str) -> None:
        last = self._last.get(wallet)
        if last is None:
            return
        await self._follow(last)
        if not last.is_mined:
            raise Refusal("wallet busy: it has an active action")
        del self._last[wallet]

    async def _send(self, owner: str, wallet: str, data: str) -> Relayed:
        sent = await self._node.call("eth_sendTransaction", {"from": addresses.RELAYER, "to": wallet, "data": data})
        self._count += 1
        relayed = Relayed(_name(self._seed, self._count), owner, wallet, sent)
        self._sent[relayed.transaction_id] = self._last[wallet] = relayed
        for known in (self._sent, self._last):
            if len(known) > REMEMBERED:
                known.popitem(last=False)
        return relayed

    async def _follow(self, relayed: Relayed) -> None:
        if relayed.state in (State.CONFIRMED, State.FAILED):
            return
        asked = [relayed.tx_hash]
        receipt, transaction, head = await self._node.batch(
            [("eth_getTransactionReceipt", asked), ("eth_getTransactionByHash", asked), ("eth_blockNumber", [])]
        )
        state, error = _judged(receipt, int(head, 16)) if receipt or transaction else (State.FAILED, LOST)
        if state is not State.EXECUTED and not relayed.is_mined:
            await self._changed(relayed.wallet)
        relayed.state, relayed.error = state, error


def _judged(receipt: dict[str, Any] | None, head: int) -> tuple[State, str]:
    if receipt is None:
        return State.EXECUTED, ""
    if int(receipt["status"], 16) != 1:
        output = bytes.fromhex(receipt.get("revertReason", "0x").removeprefix("0x"))
        return State.FAILED, reason(output) or "execution reverted"
    deep = int(receipt["blockNumber"], 16) + CONFIRM_DEPTH <= head
    return State.CONFIRMED if deep else State.MINED, ""


def _name(seed: int, count: int) -> str:
    digits = hashlib.sha256(f"relayed {seed} {count}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
