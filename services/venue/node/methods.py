"""The JSON-RPC methods, one function each; streams are in subscriptions.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from eth_utils.crypto import keccak

from services.venue.node import addresses, filters, params, shapes
from services.venue.node.admin import Admin
from services.venue.node.block import Block
from services.venue.node.errors import InvalidParams, Refused, RpcError
from services.venue.node.evm import BASE_FEE
from services.venue.node.miner import Miner
from services.venue.node.sight import Sight
from services.venue.node.transactions import Request

CLIENT = "PolyCopyVenue/v1/py-evm"
# What public Polygon nodes allow in one eth_getLogs.
MAX_LOG_BLOCKS = 10_000
SEND_GAS = 15_000_000

Method = Callable[..., Awaitable[Any]]


class Methods:
    """Answers calls on one chain; `finality` is how many blocks `finalized` lies behind `latest`."""

    def __init__(self, miner: Miner, finality: int, *, behind: int = 0, admin: Admin | None = None) -> None:
        self._miner = miner
        self._chain = miner.chain
        self._sight = Sight(miner.chain, behind)
        self._finality = finality
        self._table: dict[str, Method] = {
            "eth_chainId": self._chain_id,
            "net_version": self._net_version,
            "net_listening": self._listening,
            "web3_clientVersion": self._client_version,
            "web3_sha3": self._sha3,
            "eth_syncing": self._syncing,
            "eth_accounts": self._accounts,
            "eth_blockNumber": self._block_number,
            "eth_gasPrice": self._gas_price,
            "eth_maxPriorityFeePerGas": self._priority_fee,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_getLogs": self._logs,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send_raw,
            "eth_sendTransaction": self._send,
            **(admin.table if admin else {}),
        }

    async def answer(self, method: str, arguments: list[Any]) -> Any:
        """The result of a call; RpcError says what was wrong with it."""
        known = self._table.get(method)
        if known is None:
            raise RpcError(-32601, f"the method {method} does not exist/is not available")
        try:
            return await known(*arguments)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                raise InvalidParams(f"{method}: wrong number of parameters") from error
            raise

    async def _chain_id(self) -> str:
        return shapes.quantity(addresses.CHAIN_ID)

    async def _net_version(self) -> str:
        return str(addresses.CHAIN_ID)

    async def _listening(self) -> bool:
        return True

    async def _client_version(self) -> str:
        return CLIENT

    async def _sha3(self, value: Any) -> str:
        return shapes.data(keccak(params.data(value, "data")))

    async def _syncing(self) -> bool:
        return False

    async def _accounts(self) -> list[str]:
        return [address.lower() for address in addresses.UNLOCKED]

    async def _block_number(self) -> str:
        return shapes.quantity(self._sight.head.number)

    async def _gas_price(self) -> str:
        return shapes.quantity(BASE_FEE)

    async def _priority_fee(self) -> str:
        return "0x0"

    async def _block_by_number(self, tag: Any, whole: Any = False) -> Any:
        block = self._find(tag)
        return shapes.block(block, whole=bool(whole)) if block else None

    async def _block_by_hash(self, block_hash: Any, whole: Any = False) -> Any:
        block = self._sight.by_hash(params.data(block_hash, "block hash", 32))
        return shapes.block(block, whole=bool(whole)) if block else None

    async def _block_receipts(self, tag: Any) -> Any:
        block = self._find(tag)
        return [shapes.receipt(mined, block) for mined in block.mined] if block else None

    async def _transaction(self, transaction_hash: Any) -> Any:
        wanted = params.data(transaction_hash, "transaction hash", 32)
        if found := self._sight.mined(wanted):
            block, mined = found
            return shapes.transaction(mined.transaction, block, mined.index)
        ahead = self._chain.mined.get(wanted)
        pending = ahead[1].transaction if ahead else self._miner.pending.get(wanted)
        return shapes.transaction(pending, None, None) if pending else None

    async def _receipt(self, transaction_hash: Any) -> Any:
        found = self._sight.mined(params.data(transaction_hash, "transaction hash", 32))
        return shapes.receipt(found[1], found[0]) if found else None

    async def _transaction_count(self, address: Any, tag: Any = "latest") -> str:
        account = params.address(address)
        if tag == "pending":
            return shapes.quantity(await self._miner.next_nonce(account))
        return shapes.quantity(await self._miner.perform(self._chain.nonce_at, account, self._require(tag)))

    async def _balance(self, address: Any, tag: Any = "latest") -> str:
        wei = await self._miner.perform(self._chain.balance, params.address(address), self._require(tag))
        return shapes.quantity(wei)

    async def _code(self, address: Any, tag: Any = "latest") -> str:
        return shapes.data(await self._miner.perform(self._chain.code, params.address(address), self._require(tag)))

    async def _storage(self, address: Any, slot: Any, tag: Any = "latest") -> str:
        number = params.quantity(slot, "slot")
        value = await self._miner.perform(self._chain.storage, params.address(address), number, self._require(tag))
        return shapes.data(value.to_bytes(32, "big"))

    async def _logs(self, wanted: Any) -> list[shapes.Json]:
        fields = params.mapping(wanted, "filter")
        admitted = filters.read(fields)
        return [shapes.log(log, block) for block in self._range(fields) for log in block.logs if admitted.admits(log)]

    async def _call(self, call: Any, tag: Any = "latest", _overrides: Any = None) -> str:
        block = self._require(tag)
        return shapes.data(await self._miner.perform(self._chain.call, params.call(call), block))

    async def _estimate(self, call: Any, tag: Any = "latest", _overrides: Any = None) -> str:
        block = self._require(tag)
        return shapes.quantity(await self._miner.perform(self._chain.estimate, params.call(call), block))

    async def _send_raw(self, raw: Any) -> str:
        return shapes.data(await self._miner.send_raw(params.data(raw, "transaction")))

    async def _send(self, wanted: Any) -> str:
        fields = params.mapping(wanted, "transaction")
        request = Request(
            sender=params.address(fields.get("from"), "from"),
            to=params.address(fields.get("to"), "to"),
            data=params.payload(fields),
            value=params.wei(fields.get("value") or 0, "value"),
            gas=params.quantity(fields.get("gas") or SEND_GAS, "gas"),
            nonce=params.quantity(fields["nonce"], "nonce") if fields.get("nonce") is not None else None,
        )
        return shapes.data(await self._miner.send(request))

    def _range(self, fields: dict[str, Any]) -> list[Block]:
        if fields.get("blockHash") is not None:
            block = self._sight.by_hash(params.data(fields["blockHash"], "block hash", 32))
            if block is None:
                raise Refused("unknown block")
            return [block]
        first = self._number(fields.get("fromBlock", "latest"))
        last = min(self._number(fields.get("toBlock", "latest")), self._sight.head.number)
        if last - first >= MAX_LOG_BLOCKS:
            raise Refused(f"exceed maximum block range: {MAX_LOG_BLOCKS}")
        if first < self._sight.first:
            raise RpcError(4444, "pruned history unavailable")
        return list(self._sight.between(first, last))

    def _require(self, tag: Any) -> Block:
        block = self._find(tag)
        if block is None:
            raise Refused("header not found")
        return block

    def _find(self, tag: Any) -> Block | None:
        if isinstance(tag, dict):
            fields = params.mapping(tag, "block")  # pyright: ignore[reportUnknownArgumentType]
            if "blockHash" in fields:
                return self._sight.by_hash(params.data(fields["blockHash"], "block hash", 32))
            tag = fields.get("blockNumber")
        return self._sight.block(self._number(tag))

    def _number(self, tag: Any) -> int:
        head = self._sight.head.number
        match tag:
            case None | "latest" | "pending":
                return head
            case "earliest":
                return self._sight.first
            case "safe" | "finalized":
                return max(0, head - self._finality)
            case _:
                return params.quantity(tag, "block")
