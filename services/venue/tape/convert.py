"""Recordings made into a tape: Data API rows, frames of RTDS and of the market channel, books; whatever holds books or trades."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

import orjson

from services.venue.tape.format import BookLine, Entry, Line, MarketLine, TradeLine

Row = Mapping[str, Any]

SMALLEST = Decimal("0.01")
ORDINARY = Decimal(5)
TICKS = (Decimal("0.1"), Decimal("0.01"), Decimal("0.005"), Decimal("0.0025"), Decimal("0.001"), Decimal("0.0001"))


class NothingFound(ValueError):
    """A recording without a single book or trade that can be played."""


def convert(paths: Sequence[Path]) -> list[Line]:
    """The tape of these recordings together, oldest first. Raises `NothingFound`, and OSError or ValueError for what is no JSON."""
    drafts = _Drafts()
    for path in paths:
        for row in _objects(_json(path)):
            drafts.take(row)
    entries = sorted(drafts.entries, key=lambda entry: entry.at_ms)
    if not entries:
        raise NothingFound("no book and no trade was found")
    named = {entry.market for entry in entries}
    return [*(line for name, line in drafts.markets(entries).items() if name in named), *entries]


class _Drafts:
    """What was found so far: entries in the order of their files, and what is known of their markets."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._names: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, tuple[str, int]] = {}

    def take(self, row: Row) -> None:
        """A row that is a fill, a frame that is a book or a trade; anything else is left."""
        self._learn(row)
        found = _fill(row) or self._frame(row)
        if found is not None:
            self.entries.append(found)

    def markets(self, entries: Sequence[Entry]) -> dict[str, MarketLine]:
        """A line for each market that something happens in: its grid is the coarsest that holds every level of its books, its least
        size small enough for all that was seen."""
        found: dict[str, MarketLine] = {}
        for name in dict.fromkeys(entry.market for entry in entries):
            known, mine = self._names.get(name, {}), [entry for entry in entries if entry.market == name]
            prices = [price for entry in mine if isinstance(entry, BookLine) for price, _ in (*entry.bids, *entry.asks)]
            least = min(_sizes(mine), default=ORDINARY)
            found[name] = MarketLine(
                kind="market",
                market=name,
                question=known.get("title") or f"Recorded market {name[:12]}",
                slug=_slug(known.get("slug") or f"recorded-{name[:12]}"),
                outcomes=tuple(known.get("outcomes") or ("Yes", "No")),  # pyright: ignore[reportArgumentType]
                tick=_tick(prices),
                min_size=max(min(least, ORDINARY), SMALLEST),
            )
        return found

    def _learn(self, row: Row) -> None:
        condition = row.get("conditionId") or row.get("condition_id") or row.get("market")
        if not isinstance(condition, str) or not condition.startswith("0x"):
            return
        known = self._names.setdefault(condition, {})
        for name in ("title", "slug"):
            if isinstance(row.get(name), str) and row[name]:
                known[name] = row[name]
        outcome, index = row.get("outcome"), row.get("outcomeIndex", row.get("outcome_index"))
        if isinstance(outcome, str) and outcome and index in (0, 1):
            known.setdefault("outcomes", ["Yes", "No"])[index] = outcome
        if isinstance(row.get("tokens"), dict):
            for place, (name, token) in enumerate(list(cast(dict[str, str], row["tokens"]).items())[:2]):
                known.setdefault("outcomes", ["Yes", "No"])[place] = name
                self._tokens[token] = (condition, place)

    def _frame(self, row: Row) -> Entry | None:
        """A book (of the CLOB or its market channel) or the channel's last trade."""
        token, market, at = row.get("asset_id"), row.get("market"), _decimal(row.get("timestamp"))
        if not isinstance(token, str) or not isinstance(market, str) or at is None:
            return None
        outcome = self._tokens.setdefault(token, (market, self._seen_of(market)))[1]
        common: dict[str, Any] = {"market": market, "at_ms": int(at), "outcome": min(outcome, 1)}
        if isinstance(row.get("bids"), list) and isinstance(row.get("asks"), list):
            bids, asks = _levels(row["bids"]), _levels(row["asks"])
            crossed = bids and asks and max(price for price, _ in bids) >= min(price for price, _ in asks)
            return None if crossed else BookLine(kind="book", bids=bids, asks=asks, **common)
        price, size = _decimal(row.get("price")), _decimal(row.get("size"))
        if row.get("event_type") == "last_trade_price" and price is not None and size is not None:
            return _trade(price, size, str(row.get("side")), "anyone", common)
        return None

    def _seen_of(self, market: str) -> int:
        return sum(1 for condition, _ in self._tokens.values() if condition == market)


def _fill(row: Row) -> TradeLine | None:
    """A row of the Data API, of either version, or the payload of an RTDS frame."""
    condition, wallet = (
        row.get("conditionId") or row.get("condition_id"),
        row.get("proxyWallet") or row.get("proxy_wallet"),
    )
    price, size, at = (_decimal(row.get(name)) for name in ("price", "size", "timestamp"))
    outcome = row.get("outcomeIndex", row.get("outcome_index"))
    kind = row.get("type", "TRADE")
    if not isinstance(condition, str) or not isinstance(wallet, str) or kind != "TRADE" or outcome not in (0, 1):
        return None
    if price is None or size is None or at is None:
        return None
    common: dict[str, Any] = {"market": condition, "at_ms": int(at) * 1_000, "outcome": outcome}
    return _trade(price, size, str(row.get("side")), wallet.lower(), common)


def _trade(price: Decimal, size: Decimal, side: str, wallet: str, common: dict[str, Any]) -> TradeLine | None:
    if not 0 < price < 1 or size < SMALLEST or side not in ("BUY", "SELL"):
        return None
    return TradeLine(kind="trade", price=price, size=size, side=side, wallet=wallet, **common)  # pyright: ignore[reportArgumentType]


def _levels(levels: Sequence[object]) -> tuple[tuple[Decimal, Decimal], ...]:
    """Levels of a recorded book; a transcriber's note between them is none."""
    pairs = [
        (_decimal(one.get("price")), _decimal(one.get("size")))
        for one in (cast(Row, level) for level in levels if isinstance(level, dict))
    ]
    return tuple((price, size) for price, size in pairs if price and size and 0 < price < 1)


def _sizes(entries: Sequence[Entry]) -> Iterator[Decimal]:
    for entry in entries:
        if isinstance(entry, TradeLine):
            yield entry.size
        else:
            yield from (size for _, size in (*entry.bids, *entry.asks))


def _tick(prices: Sequence[Decimal]) -> Decimal:
    """The coarsest grid but the very coarse that all prices lie on; the ordinary one where there is no book."""
    return next((tick for tick in TICKS[1:] if all(price % tick == 0 for price in prices)), TICKS[-1])


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "recorded"


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _json(path: Path) -> object:
    raw = path.read_bytes()
    return cast(object, orjson.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw))


def _objects(found: object) -> Iterator[Row]:
    """Every object inside, the outer ones first; lists that are newest first come out oldest first."""
    if isinstance(found, dict):
        row = cast(dict[str, Any], found)
        yield row
        for value in row.values():
            yield from _objects(value)
    elif isinstance(found, list):
        rows = cast(list[object], found)
        for value in reversed(rows) if _newest_first(rows) else rows:
            yield from _objects(value)


def _newest_first(rows: Sequence[object]) -> bool:
    times = [_decimal(cast(Row, row).get("timestamp")) for row in rows if isinstance(row, dict)]
    known = [time for time in times if time is not None]
    return len(known) > 1 and known[0] > known[-1]
