"""eth_subscribe on one socket: newHeads and logs, in the order and shape of Polygon's nodes."""

from __future__ import annotations

import secrets
from typing import Any

import orjson

from services.venue.node import filters, params, shapes
from services.venue.node.block import Block
from services.venue.node.errors import InvalidParams, Refused
from services.venue.node.filters import LogFilter
from services.venue.node.methods import Methods
from services.venue.node.miner import Miner
from services.venue.node.outbox import Outbox

MAX_SUBSCRIPTIONS = 1_000


class Subscriptions:
    """The calls and streams of one socket; frames to send are taken from `outbox`."""

    def __init__(self, miner: Miner, methods: Methods) -> None:
        self.outbox = Outbox()
        self._methods = methods
        self._heads: set[str] = set()
        self._logs: dict[str, LogFilter] = {}
        self._stop = miner.listen(self._publish)

    async def answer(self, method: str, arguments: list[Any]) -> Any:
        if method == "eth_subscribe":
            return self._subscribe(arguments)
        if method == "eth_unsubscribe":
            return self._unsubscribe(arguments)
        return await self._methods.answer(method, arguments)

    def close(self) -> None:
        self._stop()

    def _subscribe(self, arguments: list[Any]) -> str:
        if len(self._heads) + len(self._logs) >= MAX_SUBSCRIPTIONS:
            raise Refused(f"too many subscriptions: {MAX_SUBSCRIPTIONS} on one connection")
        identity = "0x" + secrets.token_hex(16)  # chance: a name
        match arguments:
            case ["newHeads", *_]:
                self._heads.add(identity)
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
        elif self._logs.pop(identity, None) is None:
            raise InvalidParams("subscription not found")
        return True

    def _publish(self, block: Block) -> None:
        for identity in self._heads:
            self._push(identity, shapes.header(block))
        for log in block.logs:
            for identity, wanted in self._logs.items():
                if wanted.admits(log):
                    self._push(identity, shapes.log(log, block))

    def _push(self, identity: str, result: shapes.Json) -> None:
        frame = {
            "jsonrpc": "2.0",
            "method": "eth_subscription",
            "params": {"result": result, "subscription": identity},
        }
        self.outbox.notify(orjson.dumps(frame))
