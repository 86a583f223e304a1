"""`Chain` over JSON-RPC."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from services.common.chain import decode, subscription
from services.common.chain.rpc import Rpc
from services.common.domain.intent import OrderFields
from services.common.polymarket.eip712 import order_words
from services.common.polymarket.environment import Endpoints
from services.common.polymarket.parse.gamma import is_position_id
from services.common.ports.chain import ChainUnavailable, FillLog, Head, OrderStatus, Receipt, Sighting, Transfer

# Selectors of venue.md 6.1.
BALANCE_OF_TOKEN = "0x00fdd58e"
BALANCE_OF = "0x70a08231"
ORDER_STATUS = "0x46423aa7"
HASH_ORDER = "0x3d861a4d"

WIDEST_RANGE = 5_000
NARROWEST_RANGE = 10


class Web3Chain:
    """Polygon, or another chain with the venue's contracts."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._rpc = Rpc(endpoints.rpc_url)
        self._ws_url = endpoints.rpc_ws_url
        self._exchanges = [address.lower() for address in endpoints.exchanges]
        self._tokens = [endpoints.ctf_address.lower(), endpoints.position_manager_address.lower()]
        self._collateral = endpoints.collateral_address.lower()
        self._ctf, self._positions = self._tokens
        self._block_times: dict[str, datetime] = {}
        self._chain_id: int | None = None

    async def close(self) -> None:
        """Let the connections go."""
        await self._rpc.close()

    async def head(self) -> Head:
        latest, finalized = await self._block("latest"), await self._block("finalized")
        if self._chain_id is None:
            self._chain_id = decode.number(await self._rpc.call("eth_chainId"))
        number = decode.number(latest["number"])
        return Head(
            number,
            decode.instant(decode.number(latest["timestamp"])),
            decode.number(finalized["number"]),
            self._chain_id,
        )

    async def receipt(self, tx_hash: str) -> Receipt | None:
        raw = await self._rpc.call("eth_getTransactionReceipt", tx_hash)
        if raw is None or raw.get("blockNumber") is None:
            return None
        try:
            block_at = decode.block_time(raw["logs"]) or await self._block_time(raw["blockHash"])
            return decode.receipt(raw, block_at, self._exchanges, self._tokens)
        except (decode.UnknownLog, KeyError, ValueError) as error:
            raise ChainUnavailable(f"receipt {tx_hash}: {error}") from error

    async def fills_of(self, makers: Sequence[str], first_block: int, last_block: int) -> tuple[FillLog, ...]:
        topics = [decode.ORDER_FILLED, None, [decode.topic(maker) for maker in makers]]
        return await self._fills(topics, first_block, last_block)

    async def fills_of_order(self, order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        latest = decode.number(await self._rpc.call("eth_blockNumber"))
        return await self._fills([decode.ORDER_FILLED, order_hash], first_block, latest)

    async def order_status(self, exchange: str, order_hash: str) -> OrderStatus:
        words = await self._call(exchange, ORDER_STATUS + order_hash.removeprefix("0x"))
        if len(words) < 2:
            raise ChainUnavailable("getOrderStatus answered no status")
        return OrderStatus(bool(words[0]), words[1])

    async def order_hash(self, fields: OrderFields) -> str | None:
        words = await self._call(fields.exchange, HASH_ORDER + order_words(fields))
        return f"0x{_one(words):064x}" if words else None

    async def token_balance(self, wallet: str, token_id: str, block: int | None = None) -> int:
        data = BALANCE_OF_TOKEN + decode.topic(wallet)[2:] + f"{int(token_id):064x}"
        held_in = self._positions if is_position_id(token_id) else self._ctf
        return _one(await self._call(held_in, data, block))

    async def collateral_balance(self, wallet: str, block: int | None = None) -> int:
        return _one(await self._call(self._collateral, BALANCE_OF + decode.topic(wallet)[2:], block))

    async def transfers(self, wallet: str, token_id: str, first_block: int, last_block: int) -> tuple[Transfer, ...]:
        here = decode.topic(wallet)
        events = [decode.TRANSFER_SINGLE, decode.TRANSFER_BATCH]
        # What a wallet sends itself is in both.
        logs = {
            (decode.number(log["blockNumber"]), decode.number(log["logIndex"])): log
            for topics in ([events, None, here], [events, None, None, here])
            for log in await self._logs(self._tokens, topics, first_block, last_block)
        }
        try:
            moves = [move for place in sorted(logs) for move in decode.transfers(logs[place])]
        except (decode.UnknownLog, KeyError, ValueError) as error:
            raise ChainUnavailable(f"logs: {error}") from error
        return tuple(move for move in moves if move.token_id == token_id)

    async def sightings_of(self, wallets: Sequence[str], first_block: int, last_block: int) -> tuple[Sighting, ...]:
        contracts = [*self._exchanges, *self._tokens]
        logs = await self._logs(contracts, decode.leaving(wallets), first_block, last_block)
        try:
            ordered = sorted(logs, key=lambda log: (decode.number(log["blockNumber"]), decode.number(log["logIndex"])))
            seen = [decode.sighting(log) for log in ordered]
        except (decode.UnknownLog, KeyError, ValueError) as error:
            raise ChainUnavailable(f"logs: {error}") from error
        first: dict[tuple[str, str], Sighting] = {}
        for one in seen:
            first.setdefault((one.tx_hash, one.wallet), one)
        return tuple(first.values())

    async def subscribe(self, wallets: Sequence[str]) -> AsyncIterator[Sighting]:
        wanted = {"address": [*self._exchanges, *self._tokens], "topics": decode.leaving(wallets)}
        async for log in subscription.logs(self._ws_url, wanted):
            try:
                yield decode.sighting(log)
            except (decode.UnknownLog, KeyError, ValueError) as error:
                raise ChainUnavailable(f"log: {error}") from error

    async def _fills(self, topics: list[Any], first_block: int, last_block: int) -> tuple[FillLog, ...]:
        logs = await self._logs(self._exchanges, topics, first_block, last_block)
        try:
            fills = [decode.fill_log(log) for log in logs]
        except (decode.UnknownLog, KeyError, ValueError) as error:
            raise ChainUnavailable(f"logs: {error}") from error
        return tuple(sorted(fills, key=lambda fill: (fill.block_number, fill.fill.log_index)))

    async def _logs(self, addresses: list[str], topics: list[Any], first: int, last: int) -> list[Any]:
        """Logs of a range, in pieces that an endpoint takes: one that is refused is halved, down to a few blocks."""
        found: list[Any] = []
        width = WIDEST_RANGE
        while first <= last:
            end = min(last, first + width - 1)
            wanted = {"address": addresses, "topics": topics, "fromBlock": hex(first), "toBlock": hex(end)}
            try:
                found += await self._rpc.call("eth_getLogs", wanted)
            except ChainUnavailable:
                if end - first < NARROWEST_RANGE:
                    raise
                width = max((end - first + 1) // 2, NARROWEST_RANGE)
                continue
            first = end + 1
        return found

    async def _block(self, tag: str) -> dict[str, Any]:
        block = await self._rpc.call("eth_getBlockByNumber", tag, False)
        if not block:
            raise ChainUnavailable(f"no {tag} block")
        return block

    async def _block_time(self, block_hash: str) -> datetime:
        if block_hash not in self._block_times:
            block = await self._rpc.call("eth_getBlockByHash", block_hash, False)
            if not block:
                raise ChainUnavailable(f"block {block_hash} is not known")
            if len(self._block_times) > 1_000:
                self._block_times.clear()
            self._block_times[block_hash] = decode.instant(decode.number(block["timestamp"]))
        return self._block_times[block_hash]

    async def _call(self, contract: str, data: str, block: int | None = None) -> list[int]:
        tag = "latest" if block is None else hex(block)
        raw = str(await self._rpc.call("eth_call", {"to": contract, "data": data}, tag)).removeprefix("0x")
        return [int(raw[at : at + decode.WORD], 16) for at in range(0, len(raw), decode.WORD)]


def _one(words: list[int]) -> int:
    if len(words) != 1:
        raise ChainUnavailable("a balance is not one number")
    return words[0]
