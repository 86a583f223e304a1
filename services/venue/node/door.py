"""The way in for the public: what is asked here may be struck by a fault."""

from __future__ import annotations

import asyncio
from typing import Any

from services.venue.faults.fault import Fault
from services.venue.node import lies
from services.venue.node.errors import ConnectionCut, RpcError, TooManyRequests
from services.venue.node.faults import RpcFaults
from services.venue.node.methods import Methods
from services.venue.node.miner import Miner


class Door:
    """Calls over http or ws, as `name` says."""

    def __init__(self, name: str, miner: Miner, finality: int, methods: Methods, faults: RpcFaults) -> None:
        self._name = name
        self._miner = miner
        self._finality = finality
        self._methods = methods
        self._faults = faults

    async def answer(self, method: str, arguments: list[Any]) -> Any:
        """The result of a call, or what a fault makes of it. Raises what `Methods.answer` does, ConnectionCut and TooManyRequests."""
        if method.startswith("evm_"):
            return await self._methods.answer(method, arguments)
        fault = self._faults.strike(method, self._name)
        if fault is None:
            return await self._methods.answer(method, arguments)
        return await self._struck(fault, method, arguments)

    async def _struck(self, fault: Fault, method: str, arguments: list[Any]) -> Any:
        match fault.kind:
            case "rpc_error":
                raise RpcError(fault.whole("code"), fault.text("message"))
            case "rpc_limited":
                raise TooManyRequests
            case "rpc_drop_before" | "rpc_silent":
                raise ConnectionCut
            case "rpc_lag":
                behind = Methods(self._miner, self._finality, behind=fault.whole("blocks"))
                return await behind.answer(method, arguments)
            case _:
                return await self._answered(fault, await self._methods.answer(method, arguments))

    async def _answered(self, fault: Fault, result: Any) -> Any:
        match fault.kind:
            case "rpc_delay":
                await asyncio.sleep(fault.whole("ms") / 1000)  # clock: who waits for the answer waits by his own
            case "rpc_drop_after":
                raise ConnectionCut
            case "rpc_wrong_balance":
                return lies.balance(result, fault.whole("amount"))
            case "rpc_wrong_status":
                return lies.status(result)
            case _:
                return lies.without_logs(result)
        return result
