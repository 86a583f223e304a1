"""What a fault strikes: an endpoint, a channel, a method of the node, or the commit of a trade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.venue.faults.fields import BadFault

Facts = Mapping[str, str]
Body = Mapping[str, object]

# What a trader calls, by name: method and path; a path that ends in a slash goes on.
ENDPOINTS = {
    "clob.create_key": ("POST", "/clob/auth/api-key"),
    "clob.derive_key": ("GET", "/clob/auth/derive-api-key"),
    "clob.post_order": ("POST", "/clob/order"),
    "clob.post_orders": ("POST", "/clob/orders"),
    "clob.cancel_order": ("DELETE", "/clob/order"),
    "clob.cancel_orders": ("DELETE", "/clob/orders"),
    "clob.order": ("GET", "/clob/data/order/"),
    "clob.orders": ("GET", "/clob/data/orders"),
    "clob.trades": ("GET", "/clob/data/trades"),
    "clob.balance": ("GET", "/clob/balance-allowance"),
    "clob.book": ("GET", "/clob/book"),
    "clob.books": ("POST", "/clob/books"),
    "clob.market": ("GET", "/clob/clob-markets/"),
    "data.activity": ("GET", "/data/v2/activity"),
    "data.trades": ("GET", "/data/v2/trades"),
    "data.positions": ("GET", "/data/v2/positions"),
    "gamma.markets": ("GET", "/gamma/markets/keyset"),
}
CHANNELS = ("market", "user", "rtds", "node")


class Target(Protocol):
    """What is struck; `facts` are what is known of one request, frame or trade."""

    def meets(self, facts: Facts) -> bool: ...

    def told(self) -> Mapping[str, object]:
        """The target as it was written, for reports."""
        ...


@dataclass(frozen=True, slots=True)
class PathTarget:
    """One endpoint by its name, or everything whose `method` and `path` begin so."""

    method: str
    path: str
    endpoint: str = ""

    NAMES = ("endpoint", "method", "path")

    @classmethod
    def read(cls, body: Body) -> PathTarget:
        endpoint = body.get("endpoint", "")
        if endpoint and endpoint not in ENDPOINTS:
            raise BadFault(f"endpoint: expected one of {', '.join(ENDPOINTS)}")
        method, path = ENDPOINTS.get(str(endpoint), (str(body.get("method", "")).upper(), body.get("path")))
        if not isinstance(path, str) or not path.startswith("/"):
            raise BadFault("path: expected the beginning of a path, such as /clob/order, or the name of an endpoint")
        return cls(method, path, str(endpoint))

    def meets(self, facts: Facts) -> bool:
        whole = self.endpoint and not self.path.endswith("/")
        here = facts["path"] == self.path if whole else facts["path"].startswith(self.path)
        return here and self.method in ("", facts["method"])

    def told(self) -> dict[str, str]:
        return {"method": self.method, "path": self.path, "endpoint": self.endpoint}


@dataclass(frozen=True, slots=True)
class ChannelTarget:
    """The connections of one channel; of their frames those that have `containing` in their text."""

    channel: str
    containing: str = ""

    NAMES = ("channel", "containing")

    @classmethod
    def read(cls, body: Body) -> ChannelTarget:
        channel, containing = body.get("channel"), body.get("containing", "")
        if channel not in CHANNELS:
            raise BadFault(f"channel: expected one of {', '.join(CHANNELS)}")
        if not isinstance(containing, str):
            raise BadFault("containing: expected a part of a frame's text")
        return cls(str(channel), containing)

    def meets(self, facts: Facts) -> bool:
        return self.channel == facts["channel"] and self.containing in facts["text"]

    def told(self) -> dict[str, str]:
        return {"channel": self.channel, "containing": self.containing}


@dataclass(frozen=True, slots=True)
class MethodTarget:
    """One method of the node's JSON-RPC; without a name every method."""

    rpc: str = ""

    NAMES = ("rpc",)

    @classmethod
    def read(cls, body: Body) -> MethodTarget:
        rpc = body.get("rpc", "")
        if not isinstance(rpc, str) or (rpc and not rpc.startswith(("eth_", "net_", "web3_"))):
            raise BadFault("rpc: expected the name of a method, such as eth_call, or nothing for every method")
        return cls(rpc)

    def meets(self, facts: Facts) -> bool:
        return self.rpc in ("", facts["rpc"])

    def told(self) -> dict[str, str]:
        return {"rpc": self.rpc}


@dataclass(frozen=True, slots=True)
class CommitTarget:
    """The commits of one market's trades; without a market every commit."""

    market: str = ""

    NAMES = ("market",)

    @classmethod
    def read(cls, body: Body) -> CommitTarget:
        market = body.get("market", "")
        if not isinstance(market, str) or (market and not market.startswith("0x")):
            raise BadFault("market: expected a condition id, or nothing for every market")
        return cls(market.lower())

    def meets(self, facts: Facts) -> bool:
        return self.market in ("", facts["market"].lower())

    def told(self) -> dict[str, str]:
        return {"market": self.market}


@dataclass(frozen=True, slots=True)
class Everything:
    """The venue as a whole."""

    NAMES = ()

    @classmethod
    def read(cls, body: Body) -> Everything:
        del body
        return cls()

    def meets(self, facts: Facts) -> bool:
        del facts
        return True

    def told(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class BlockTarget:
    """A block with so many before it that `depth` of them, itself among them, can be taken back; what becomes of what they held."""

    depth: object
    fate: object

    NAMES = ()

    @classmethod
    def read(cls, body: Body) -> BlockTarget:
        """What they may be is looked at with the fields of the kind."""
        return cls(body.get("depth", 1), body.get("fate", "again"))

    def meets(self, facts: Facts) -> bool:
        return isinstance(self.depth, int) and self.depth <= int(facts["kept"])

    def told(self) -> Mapping[str, object]:
        return {"depth": self.depth, "fate": self.fate}
