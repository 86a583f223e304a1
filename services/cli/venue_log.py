"""The venue's append-only log as a report reads it: whatever we claim is held against these lines."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, Any]
Held = tuple[str, str]
"""A wallet (lower case) and a token."""


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
    token: str = ""


@dataclass(slots=True)
class Received:
    """One of our orders as the venue met it: how often, when first, whether it was taken, and what it matched on chain."""

    order_hash: str
    first_at_ms: int
    times: int = 0
    accepted: bool = False
    shares_micros: int = 0
    usdc_micros: int = 0
    fee_micros: int = 0
    wallet: str = ""
    token: str = ""
    side: str = ""


@dataclass(frozen=True, slots=True)
class VenueLog:
    """What the log says of the leaders and of some wallets of ours: their orders, the shares they hold, and what cash moved by trading."""

    leader_fills: tuple[LeaderFill, ...]
    orders: Mapping[str, Received]
    holdings: Mapping[Held, int] = field(default_factory=dict[Held, int])
    cash_micros: Mapping[str, int] = field(default_factory=dict[str, int])


def read(lines: Iterable[Line], wallets: Iterable[str]) -> VenueLog:
    """The log of one run."""
    ours = {wallet.lower() for wallet in wallets}
    fills: list[LeaderFill] = []
    orders: dict[str, Received] = {}
    holdings: defaultdict[Held, int] = defaultdict(int)
    cash: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        match line["kind"]:
            case "leader_fill":
                fills.append(_leader_fill(line))
            case "order_received" if str(line["maker"]).lower() in ours:
                _received(line, orders)
            case "wallet_fill" if str(line["wallet"]).lower() in ours:
                _filled(line, orders)
                _moved(line, holdings, cash)
            case "wallet_fill_undone" if str(line["wallet"]).lower() in ours:
                undone = {**line, **{name: -int(line[name]) for name in ("size_micros", "usdc_micros", "fee_micros")}}
                _filled(undone, orders)
                _moved(undone, holdings, cash)
            case _:
                pass
    return VenueLog(tuple(fills), orders, {held: shares for held, shares in holdings.items() if shares}, cash)


def _leader_fill(line: Line) -> LeaderFill:
    return LeaderFill(
        leader=str(line["wallet"]).lower(),
        tx_hash=str(line["tx_hash"]).lower(),
        order_hash=str(line["order_hash"]).lower(),
        side=str(line["side"]),
        shares_micros=int(line["size_micros"]),
        usdc_micros=int(line["usdc_micros"]),
        mined_at_ms=int(line["mined_at_ms"]),
        token=str(line["token"]),
    )


def _received(line: Line, orders: dict[str, Received]) -> None:
    known = _order(line, str(line["hash"]), str(line["maker"]), orders)
    known.times += 1
    known.accepted = known.accepted or line["outcome"] == "accepted"


def _filled(line: Line, orders: dict[str, Received]) -> None:
    known = _order(line, str(line["order_hash"]), str(line["wallet"]), orders)
    known.shares_micros += int(line["size_micros"])
    known.usdc_micros += int(line["usdc_micros"])
    known.fee_micros += int(line["fee_micros"])


def _order(line: Line, order_hash: str, wallet: str, orders: dict[str, Received]) -> Received:
    known = order_hash.lower()
    fresh = Received(known, int(line["at_ms"]), wallet=wallet.lower(), token=str(line["token"]), side=str(line["side"]))
    return orders.setdefault(known, fresh)


def _moved(line: Line, holdings: defaultdict[Held, int], cash: defaultdict[str, int]) -> None:
    wallet, bought = str(line["wallet"]).lower(), line["side"] == "BUY"
    holdings[wallet, str(line["token"])] += int(line["size_micros"]) * (1 if bought else -1)
    cash[wallet] += int(line["usdc_micros"]) * (-1 if bought else 1) - int(line["fee_micros"])
