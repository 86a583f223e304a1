"""Frames of the venue's WebSockets (venue.md 5): market channel, user channel, RTDS."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from services.common.domain.market import Book, Side
from services.common.polymarket.parse.clob import ClobTrade, read_book, read_trade
from services.common.polymarket.parse.payload import Fields, UnknownPayload, decode

MARKET, USER, RTDS = "market_ws", "user_ws", "rtds"
HEARTBEATS = frozenset({"", "PONG", "PING"})


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The new total at one price; zero removes the level. `best_bid_micros` and `best_ask_micros` are the book's after the frame, 0 and
    a whole dollar where a side is empty, None where the frame does not say."""

    token_id: str
    side: Side
    price_micros: int
    size_micros: int
    best_bid_micros: int | None
    best_ask_micros: int | None


@dataclass(frozen=True, slots=True)
class TickChange:
    """The grid of one token's prices has changed."""

    token_id: str
    tick_micros: int


@dataclass(frozen=True, slots=True)
class LastTrade:
    """One settlement transaction on a token, from the taker's side."""

    token_id: str
    side: Side
    price_micros: int
    shares_micros: int
    at: datetime
    tx_hash: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The market of these tokens is resolved."""

    condition_id: str


@dataclass(frozen=True, slots=True)
class Announced:
    """Something that PolyCopy knows and has no use for: best prices (books carry them), new markets."""

    event: str


MarketFrame = Book | LevelChange | TickChange | LastTrade | Resolved | Announced


@dataclass(frozen=True, slots=True)
class UserOrder:
    """An order of ours as the user channel reports it; `status` in capitals, without the text behind `CANCELED`."""

    order_hash: str
    event: str
    status: str
    original_micros: int
    matched_micros: int
    at: datetime


UserFrame = UserOrder | ClobTrade


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A fill of anyone, from RTDS."""

    wallet: str
    tx_hash: str
    token_id: str
    side: Side
    shares_micros: int
    traded_at: datetime


def read_market_frames(text: str | bytes, now: datetime) -> tuple[MarketFrame, ...]:
    """Everything in one frame of the market channel: an object, or a list of them."""
    return tuple(part for event in _events(MARKET, text) for part in read_market_event(event, now))


def read_market_event(event: Fields, now: datetime) -> Iterator[MarketFrame]:
    match event.text("event_type"):
        case "book":
            yield read_book(event.value, now, MARKET)
        case "price_change":
            yield from (_change(change) for change in event.objects("price_changes"))
        case "tick_size_change":
            yield TickChange(event.digits("asset_id"), event.micros("new_tick_size"))
        case "last_trade_price":
            yield _last_trade(event)
        case "market_resolved":
            yield Resolved(event.condition("market"))
        case "best_bid_ask" | "new_market" as known:
            yield Announced(known)
        case _:
            event.fail("event_type: an unknown event")


def read_user_frames(text: str | bytes) -> tuple[UserFrame, ...]:
    """Everything in one frame of the user channel."""
    return tuple(read_user_event(event) for event in _events(USER, text))


def read_user_event(event: Fields) -> UserFrame:
    kind = event.text("event_type")
    if kind == "trade":
        return read_trade(event)
    return _user_order(event) if kind == "order" else event.fail("event_type: an unknown event")


def read_rtds_frames(text: str | bytes) -> tuple[PublicTrade, ...]:
    """The fills in one frame of RTDS; frames of other topics hold none."""
    return tuple(read_public_trade(event) for event in _events(RTDS, text) if _is_fill(event))


def read_public_trade(event: Fields) -> PublicTrade:
    payload = Fields(RTDS, event.value.get("payload"))
    return PublicTrade(
        wallet=payload.address("proxyWallet"),
        tx_hash=payload.hex("transactionHash", 32),
        token_id=payload.digits("asset"),
        side=payload.side("side"),
        shares_micros=payload.micros_nearest("size"),
        traded_at=payload.epoch("timestamp"),
    )


def _events(source: str, text: str | bytes) -> Iterator[Fields]:
    if text in HEARTBEATS or text == b"":
        return
    payload = decode(source, text)
    events = cast(list[object], payload) if isinstance(payload, list) else [payload]
    for event in events:
        yield Fields(source, event)


def _is_fill(event: Fields) -> bool:
    if "topic" not in event:
        # Answers to a subscription carry no topic: an error text, or nothing of interest.
        raise UnknownPayload(RTDS, "no topic", event.value)
    return event.text("topic") == "activity" and event.text("type") in ("trades", "orders_matched")


def _change(change: Fields) -> LevelChange:
    return LevelChange(
        token_id=change.digits("asset_id"),
        side=change.side("side"),
        price_micros=change.micros("price"),
        size_micros=change.micros("size"),
        best_bid_micros=_best(change, "best_bid"),
        best_ask_micros=_best(change, "best_ask"),
    )


def _best(change: Fields, name: str) -> int | None:
    return None if change.value.get(name) in (None, "") else change.micros(name)


def _last_trade(event: Fields) -> LastTrade:
    return LastTrade(
        token_id=event.digits("asset_id"),
        side=event.side("side"),
        price_micros=event.micros_nearest("price"),
        shares_micros=event.micros("size"),
        at=event.epoch("timestamp"),
        tx_hash=event.text("transaction_hash", "").lower(),
    )


def _user_order(event: Fields) -> UserOrder:
    status = event.text("status", "").upper()
    return UserOrder(
        order_hash=event.hex("id", 32),
        event=event.text("type").upper(),
        status="CANCELED" if status.startswith("CANCELED") else status.removeprefix("ORDER_STATUS_"),
        original_micros=event.micros("original_size"),
        matched_micros=0 if event.value.get("size_matched") == "" else event.micros("size_matched", 0),
        at=event.epoch("timestamp"),
    )
