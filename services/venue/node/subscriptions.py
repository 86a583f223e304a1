"""eth_subscribe on one socket: newHeads and logs, in the order and shape of Polygon's nodes."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any, Protocol

import orjson

from services.venue.node import filters, params, shapes
from services.venue.node.block import Block, Transaction
from services.venue.node.errors import InvalidParams, Refused
from services.venue.node.faults import PUSHES, RpcFaults
from services.venue.node.filters import LogFilter
from services.venue.node.miner import Miner
from services.venue.node.outbox import Outbox

MAX_SUBSCRIPTIONS = 1_000

Published = tuple[Block, tuple[Block, ...]]


class Calls(Protocol):
    """What answers the calls of the socket."""

    async def answer(self, method: str, arguments: list[Any]) -> Any: ...


class Subscriptions:
    """The calls and streams of one socket; frames to send are taken from `outbox`."""

    def __init__(self, miner: Miner, calls: Calls, faults: RpcFaults | None) -> None:
        self.outbox = Outbox()
        self._calls = calls
        self._faults = faults
        self._held: deque[Published] = deque()
        self._heads: set[str] = set()
        self._logs: dict[str, LogFilter] = {}
        self._pending: dict[str, bool] = {}
        self._stops = (miner.listen(self._publish), miner.listen_pending(self._publish_pending))

    async def answer(self, method: str, arguments: list[Any]) -> Any:
        if method == "eth_subscribe":
            return self._subscribe(arguments)
        if method == "eth_unsubscribe":
            return self._unsubscribe(arguments)
        return await self._calls.answer(method, arguments)

    def close(self) -> None:
        for stop in self._stops:
            stop()

    def _subscribe(self, arguments: list[Any]) -> str:
        if len(self._heads) + len(self._logs) + len(self._pending) >= MAX_SUBSCRIPTIONS:
            raise Refused(f"too many subscriptions: {MAX_SUBSCRIPTIONS} on one connection")
        identity = "0x" + secrets.token_hex(16)  # chance: a name
        match arguments:
            case ["newHeads", *_]:
                self._heads.add(identity)
            case ["newPendingTransactions"]:
                self._pending[identity] = False
            case ["newPendingTransactions", bool(whole)]:
                self._pending[identity] = whole
            case ["logs"]:
                self._logs[identity] = filters.read({})
            case ["logs", wanted]:
                self._logs[identity] = filters.read(params.mapping(wanted or {}, "filter"))
            case _:
                raise InvalidParams("no such subscription")
        return identity

    def _unsubscribe(self, arguments: list[Any]) -> bool:
        identity = arguments[0] if arguments else None
        if not isinstance(identity, str):
            raise InvalidParams("subscription: expected its id")
        if identity in self._heads:
            self._heads.remove(identity)
        elif self._logs.pop(identity, None) is None and self._pending.pop(identity, None) is None:
            raise InvalidParams("subscription not found")
        return True

    def _publish(self, block: Block, removed: tuple[Block, ...]) -> None:
        self._held.append((block, removed))
        fault = self._faults.strike(PUSHES, "ws") if self._faults and (self._heads or self._logs) else None
        kind = fault.kind if fault else ""
        if kind == "rpc_silent":
            self._held.pop()
        behind = fault.whole("blocks") if fault and kind == "rpc_lag" else 0
        while len(self._held) > behind:
            self._send(*self._held.popleft(), logs=kind != "rpc_missing_logs")

    def _publish_pending(self, sent: Transaction) -> None:
        for identity, whole in self._pending.items():
            self._push(identity, shapes.transaction(sent, None, None) if whole else shapes.data(sent.hash))

    def _send(self, block: Block, removed: tuple[Block, ...], *, logs: bool) -> None:
        for identity, wanted in self._logs.items() if logs else ():
            for gone in removed:
                self._push_logs(identity, wanted, gone, removed=True)
        for identity in self._heads:
            self._push(identity, shapes.header(block))
        for identity, wanted in self._logs.items() if logs else ():
            self._push_logs(identity, wanted, block, removed=False)

    def _push_logs(self, identity: str, wanted: LogFilter, block: Block, *, removed: bool) -> None:
        for log in block.logs:
            if wanted.admits(log):
                self._push(identity, shapes.log(log, block, removed=removed))

    def _push(self, identity: str, result: shapes.Json | str) -> None:
        frame = {
            "jsonrpc": "2.0",
            "method": "eth_subscription",
            "params": {"result": result, "subscription": identity},
        }
        self.outbox.notify(orjson.dumps(frame))
