"""The venue's append-only log as a report reads it: whatever we claim is held against these lines."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LeaderFill:
    """A leader's fill, and when everyone could see it."""

    leader: str
    tx_hash: str
    order_hash: str
    side: str
    shares_micros: int
    usdc_micros: int
    mined_at_ms: int


@dataclass(slots=True)
class Received:
    """One of our orders as the venue met it: how often, when first, whether it was taken, and what it matched."""

    order_hash: str
    first_at_ms: int
    times: int = 0
    accepted: bool = False
    shares_micros: int = 0
    usdc_micros: int = 0
    fee_micros: int = 0


@dataclass(frozen=True, slots=True)
class VenueLog:
    """What the log says of the leaders and of some wallets of ours (lower-case addresses)."""

    leader_fills: tuple[LeaderFill, ...]
    orders: Mapping[str, Received]
    holdings: Mapping[str, int] = field(default_factory=dict[str, int])


def read(lines: Iterable[Line], wallets: Iterable[str]) -> VenueLog:
    """The log of one run."""
    ours = {wallet.lower() for wallet in wallets}
    fills: list[LeaderFill] = []
    orders: dict[str, Received] = {}
    holdings: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        match line["kind"]:
            case "leader_fill":
                fills.append(_leader_fill(line))
            case "order_received" if str(line["maker"]).lower() in ours:
                _received(line, orders)
            case "wallet_fill" if str(line["wallet"]).lower() in ours:
                _filled(line, orders, holdings)
            case _:
                pass
    return VenueLog(tuple(fills), orders, {token: shares for token, shares in holdings.items() if shares})


def _leader_fill(line: Line) -> LeaderFill:
    return LeaderFill(
        leader=str(line["wallet"]).lower(),
        tx_hash=str(line["tx_hash"]).lower(),
        order_hash=str(line["order_hash"]).lower(),
        side=str(line["side"]),
        shares_micros=int(line["size_micros"]),
        usdc_micros=int(line["usdc_micros"]),
        mined_at_ms=int(line["mined_at_ms"]),
    )


def _received(line: Line, orders: dict[str, Received]) -> None:
    order_hash = str(line["hash"]).lower()
    known = orders.setdefault(order_hash, Received(order_hash, int(line["at_ms"])))
    known.times += 1
    known.accepted = known.accepted or line["outcome"] == "accepted"


def _filled(line: Line, orders: dict[str, Received], holdings: defaultdict[str, int]) -> None:
    order_hash = str(line["order_hash"]).lower()
    known = orders.setdefault(order_hash, Received(order_hash, int(line["at_ms"])))
    known.shares_micros += int(line["size_micros"])
    known.usdc_micros += int(line["usdc_micros"])
    known.fee_micros += int(line["fee_micros"])
    holdings[str(line["token"])] += int(line["size_micros"]) * (1 if line["side"] == "BUY" else -1)
