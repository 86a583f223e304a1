"""Answers of the CLOB (venue.md 3): books, orders, trades, balances, credentials, errors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.common.domain.fill import TradeStatus
from services.common.domain.market import Book, Level, Side
from services.common.polymarket.auth import Credentials
from services.common.polymarket.parse.payload import Fields
from services.common.ports.venue import OpenOrder, VenueTrade

LAST_CURSOR = "LTE="
FIRST_CURSOR = "MA=="


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """A 200 of `POST /order`. Amounts are None where the answer has none; their unit is not established (venue.md 3.5)."""

    success: bool
    order_id: str
    status: str
    making: Decimal | None
    taking: Decimal | None
    trade_ids: tuple[str, ...]
    tx_hashes: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True)
class TradePart:
    """One order's part in a trade."""

    order_hash: str
    token_id: str
    side: Side
    shares_micros: int
    price_micros: int
    taker: bool


@dataclass(frozen=True, slots=True)
class ClobTrade:
    """A trade with all its parts: the taker's and each maker's."""

    trade_id: str
    condition_id: str
    status: TradeStatus
    tx_hash: str
    matched_at: datetime
    parts: tuple[TradePart, ...]

    def of(self, order_hash: str) -> VenueTrade | None:
        """The trade from the side of one order; None when it names no such order."""
        wanted = order_hash.lower()
        part = next((part for part in self.parts if part.order_hash == wanted), None)
        return self._seen_from(part) if part else None

    def _seen_from(self, part: TradePart) -> VenueTrade:
        return VenueTrade(
            trade_id=self.trade_id,
            order_hash=part.order_hash,
            condition_id=self.condition_id,
            token_id=part.token_id,
            side=part.side,
            shares_micros=part.shares_micros,
            price_micros=part.price_micros,
            status=self.status,
            tx_hash=self.tx_hash,
            matched_at=self.matched_at,
            taker=part.taker,
        )


@dataclass(frozen=True, slots=True)
class Spendable:
    """An answer of `/balance-allowance`; allowances by spender, lower case. `single` where only one is given, unnamed."""

    balance_micros: int
    allowances: dict[str, int]
    single: int | None


@dataclass(frozen=True, slots=True)
class TradesPage:
    """One page of `/data/trades`; `cursor` is empty on the last one."""

    trades: tuple[ClobTrade, ...]
    cursor: str


def read_book(payload: object, now: datetime, source: str = "book") -> Book:
    """A book of `/book` or of the market channel, best first."""
    book = Fields(source, payload)
    return Book(
        token_id=book.digits("asset_id"),
        bids=_levels(book, "bids", best_high=True),
        asks=_levels(book, "asks", best_high=False),
        read_at=now,
    )


def read_post_answer(payload: object) -> PostAnswer:
    answer = Fields("post_order", payload)
    return PostAnswer(
        success=answer.flag("success"),
        order_id=answer.text("orderID", "").lower(),
        status=answer.text("status", "").lower(),
        making=_amount(answer, "makingAmount"),
        taking=_amount(answer, "takingAmount"),
        trade_ids=answer.texts("tradeIDs", default=True),
        tx_hashes=answer.texts("transactionsHashes", default=True),
        error=answer.text("errorMsg", ""),
    )


def read_open_order(payload: object) -> OpenOrder | None:
    """An order of `/data/order/{id}`; None for what stands for "not known": null, {} and an empty text (venue.md 3.7)."""
    if payload in (None, {}, ""):
        return None
    order = Fields("open_order", payload)
    return OpenOrder(
        order_hash=order.hex("id", 32),
        status=order.text("status").upper().removeprefix("ORDER_STATUS_"),
        original_micros=order.micros("original_size"),
        matched_micros=order.micros("size_matched", 0) if order.value.get("size_matched") != "" else 0,
    )


def read_trades_page(payload: object) -> TradesPage:
    page = Fields("clob_trades", payload)
    cursor = page.text("next_cursor", "")
    trades = tuple(read_trade(trade) for trade in page.objects("data"))
    return TradesPage(trades, "" if cursor == LAST_CURSOR else cursor)


def read_trade(trade: Fields) -> ClobTrade:
    """A trade of `/data/trades` or of the user channel."""
    return ClobTrade(
        trade_id=trade.text("id"),
        condition_id=trade.condition("market"),
        status=_status(trade),
        tx_hash=trade.text("transaction_hash", "").lower(),
        matched_at=trade.epoch("match_time"),
        parts=tuple(_parts(trade)),
    )


def read_spendable(payload: object) -> Spendable:
    answer = Fields("balance_allowance", payload)
    allowances = Fields("balance_allowance", answer.value.get("allowances", {}))
    named = {spender.lower(): allowances.integer(spender) for spender in allowances.value}
    single = answer.integer("allowance") if not named and "allowance" in answer else None
    return Spendable(answer.integer("balance"), named, single)


def read_closed_only(payload: object) -> bool:
    """Whether the account may only sell (`/auth/ban-status/closed-only`)."""
    return Fields("closed_only", payload).flag("closed_only")


def read_geoblock(payload: object) -> bool:
    """Whether orders from here are refused (`/api/geoblock`)."""
    return Fields("geoblock", payload).flag("blocked")


def read_credentials(payload: object) -> Credentials:
    keys = Fields("api_key", payload)
    return Credentials(keys.text("apiKey"), keys.text("secret"), keys.text("passphrase"))


def read_error(payload: object) -> str:
    """The text of an error body, of either API."""
    return Fields("error", payload).text("error")


def read_condition(payload: object) -> str:
    """The condition of `/markets-by-token/{token}`."""
    return Fields("market_by_token", payload).condition("condition_id")


def _levels(book: Fields, name: str, *, best_high: bool) -> tuple[Level, ...]:
    levels = [Level(level.micros("price"), level.micros("size")) for level in book.objects(name)]
    prices = [level.price_micros for level in levels]
    if len(set(prices)) != len(prices) or any(level.size_micros <= 0 for level in levels):
        book.fail(f"{name}: a price twice, or nothing at a price")
    return tuple(sorted(levels, key=lambda level: level.price_micros, reverse=best_high))


def _amount(answer: Fields, name: str) -> Decimal | None:
    return None if answer.value.get(name) in (None, "") else answer.number(name)


def _status(trade: Fields) -> TradeStatus:
    word = trade.text("status").upper().removeprefix("TRADE_STATUS_")
    if word == "MATCHED_NOT_BROADCASTED":
        return TradeStatus.MATCHED
    try:
        return TradeStatus(word)
    except ValueError:
        trade.fail("status: an unknown state of a trade")


def _parts(trade: Fields) -> Iterator[TradePart]:
    yield _part(trade, trade.text("taker_order_id"), "size", taker=True)
    for maker in _makers(trade):
        yield _part(maker, maker.text("order_id"), "matched_amount", taker=False)


def _makers(trade: Fields) -> Sequence[Fields]:
    return tuple(trade.objects("maker_orders", default=True))


def _part(part: Fields, order_id: str, size: str, *, taker: bool) -> TradePart:
    return TradePart(
        order_hash=order_id.lower(),
        token_id=part.digits("asset_id"),
        side=part.side("side"),
        shares_micros=part.micros(size),
        price_micros=part.micros_nearest("price"),
        taker=taker,
    )
