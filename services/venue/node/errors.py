"""What the node refuses, in the terms of JSON-RPC."""

from __future__ import annotations


class RpcError(Exception):
    """A JSON-RPC error: code, message and optional data as Geth would give them."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class InvalidParams(RpcError):
    def __init__(self, message: str) -> None:
        super().__init__(-32602, message)


class Refused(RpcError):
    """A transaction that the pool will not take, or a block that is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(-32000, message)


class ConnectionCut(Exception):
    """A fault: the connection ends here, without an answer."""


class TooManyRequests(Exception):
    """A fault: the endpoint has had enough of this client for now."""


class Reverted(RpcError):
    """A call that the contract refused; the data is what it reverted with."""

    def __init__(self, reason: str, output: bytes) -> None:
        message = f"execution reverted: {reason}" if reason else "execution reverted"
        super().__init__(3, message, "0x" + output.hex())
