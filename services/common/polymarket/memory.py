"""The venue in memory: markets and books that someone puts there, and a CLOB that matches one account's orders against them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from services.common.chain.memory import MemoryChain, block_of
from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Intent, Outcome
from services.common.domain.market import Book, Level, Market, Side, Sweep, sweep
from services.common.domain.money import MICRO, mul_div
from services.common.polymarket.live_book import Sparse
from services.common.ports.chain import OrderFilled, Receipt, Transfer
from services.common.ports.clock import Clock
from services.common.ports.venue import Answer, Hint, OpenOrder, Permission, PublicPosition, VenueTrade, Wallet

UNBOUNDED = 10**18


class MemoryMarkets:
    """`Markets` over what was listed and shown; everything is as fresh as the moment it is asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._markets: dict[str, Market] = {}
        self._books: dict[str, Book] = {}
        self._mids = Sparse()

    def list(self, market: Market) -> None:
        """The market as it is from now on."""
        self._markets.update((token.token_id, market) for token in market.tokens)

    def show(self, book: Book) -> None:
        """The token's book as it is from now on; orders do not wear it down."""
        self._books[book.token_id] = self._mids.judged(book, self._clock.monotonic())

    async def by_token(self, token_id: str) -> Market | None:
        market, now = self._markets.get(token_id), self._clock.now()
        if market is not None and market.read_at != now:
            self._markets[token_id] = market = replace(market, read_at=now)
        return market

    async def book(self, token_id: str) -> Book | None:
        book, now = self._books.get(token_id), self._clock.now()
        if book is not None and book.read_at != now:
            self._books[token_id] = book = self._mids.later(replace(book, read_at=now), self._clock.monotonic())
        return book


@dataclass(frozen=True, slots=True)
class _Matched:
    """One order's match; `block` is the one that settles it."""

    trade: VenueTrade
    original_micros: int
    block: int
    usdc_out_micros: int
    shares_out_micros: int


class MemoryClob:
    """`Clob` of one wallet: an order takes what the book offers inside its limit at once, and settles `settles_after` later."""

    def __init__(
        self, wallet: str, chain: MemoryChain, markets: MemoryMarkets, clock: Clock, settles_after: timedelta
    ) -> None:
        self._wallet = wallet
        self._chain = chain
        self._markets = markets
        self._clock = clock
        self._settles_after = settles_after
        self._matched: dict[str, _Matched | None] = {}
        self._unsettled: list[_Matched] = []

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        if self._clock.monotonic() > leave_by:
            return Answer(Outcome.NOT_SENT, code="too_late_to_send")
        if intent.order_hash in self._matched:
            return Answer(Outcome.DUPLICATED, 400, code="Duplicated")
        token = intent.fields.token_id
        market, book = await self._markets.by_token(token), await self._markets.book(token)
        if market is None or not market.accepting_orders:
            return Answer(Outcome.REJECTED, 400, code="market is not accepting orders")
        if not await self._covers(intent, market):
            return Answer(Outcome.REJECTED, 400, code="not enough balance / allowance")
        got = _take(intent, book.facing(intent.fields.side) if book else ())
        if not got.shares_micros:
            self._matched[intent.order_hash] = None
            return Answer(Outcome.ACKED, 200, "unmatched", shares_micros=0, usdc_micros=0)
        fee = market.fee.of(got.shares_micros, got.vwap_micros)
        trade = self._match(intent, market, got, fee)
        return Answer(
            Outcome.ACKED,
            200,
            "matched",
            shares_micros=got.shares_micros,
            usdc_micros=got.usdc_micros,
            trade_ids=(trade.trade_id,),
        )

    async def order(self, order_hash: str) -> OpenOrder | None:
        matched = self._matched.get(order_hash)
        if matched is None:
            return None
        return OpenOrder(order_hash, "MATCHED", matched.original_micros, matched.trade.shares_micros)

    async def trades(self, order_hash: str, token_id: str, after: datetime) -> tuple[VenueTrade, ...]:
        matched = self._matched.get(order_hash)
        if matched is None:
            return ()
        settled = matched.block <= self._chain.head_number
        return (replace(matched.trade, status=TradeStatus.CONFIRMED if settled else TradeStatus.MATCHED),)

    async def wallet(self) -> Wallet:
        return Wallet(await self._chain.collateral_balance(self._wallet), UNBOUNDED, self._clock.now())

    async def server_time(self) -> datetime:
        return self._clock.now()

    async def permission(self) -> Permission:
        return Permission(closed_only=False, blocked=False)

    async def _covers(self, intent: Intent, market: Market) -> bool:
        """The whole order is covered, whatever it will match."""
        head, fields = self._chain.head_number, intent.fields
        self._unsettled = waiting = [one for one in self._unsettled if one.block > head]
        if fields.side is Side.BUY:
            promised = sum(one.usdc_out_micros for one in waiting)
            needed = fields.maker_amount + market.fee.of(fields.taker_amount, intent.limit_micros)
            return needed + promised <= await self._chain.collateral_balance(self._wallet)
        promised = sum(one.shares_out_micros for one in waiting if one.trade.token_id == fields.token_id)
        return fields.maker_amount + promised <= await self._chain.token_balance(self._wallet, fields.token_id)

    def _match(self, intent: Intent, market: Market, got: Sweep, fee_micros: int) -> VenueTrade:
        receipt = self._receipt(intent, got, fee_micros)
        buys = intent.fields.side is Side.BUY
        trade = VenueTrade(
            trade_id=_digest("trade", intent.order_hash)[:32],
            order_hash=intent.order_hash,
            condition_id=market.condition_id,
            token_id=intent.fields.token_id,
            side=intent.fields.side,
            shares_micros=got.shares_micros,
            price_micros=got.vwap_micros,
            status=TradeStatus.MATCHED,
            tx_hash=receipt.tx_hash,
            matched_at=self._clock.now(),
            taker=True,
        )
        matched = _Matched(
            trade,
            intent.shares_micros,
            receipt.block_number,
            got.usdc_micros + fee_micros if buys else 0,
            0 if buys else got.shares_micros,
        )
        self._chain.mine(receipt, {self._wallet: (-got.usdc_micros if buys else got.usdc_micros) - fee_micros})
        self._matched[intent.order_hash] = matched
        self._unsettled.append(matched)
        return trade

    def _receipt(self, intent: Intent, got: Sweep, fee_micros: int) -> Receipt:
        fields, buys = intent.fields, intent.fields.side is Side.BUY
        block = block_of(self._clock.now() + self._settles_after)
        tx_hash = "0x" + _digest("transaction", intent.order_hash)
        fill = OrderFilled(
            order_hash=intent.order_hash,
            maker=self._wallet,
            taker=fields.exchange,
            exchange=fields.exchange,
            side=fields.side,
            token_id=fields.token_id,
            maker_amount=got.usdc_micros if buys else got.shares_micros,
            taker_amount=got.shares_micros if buys else got.usdc_micros,
            fee=fee_micros,
            log_index=1,
        )
        sender, receiver = (fields.exchange, self._wallet) if buys else (self._wallet, fields.exchange)
        move = Transfer(sender, receiver, fields.token_id, got.shares_micros, tx_hash, block, 0)
        at = datetime.fromtimestamp(block, UTC)
        return Receipt(tx_hash, block, "0x" + _digest("block", str(block)), at, True, (fill,), (move,))


class MemoryActivity:
    """`Activity` that knows everything at once: positions are the chain's balances, hints its logs."""

    def __init__(self, chain: MemoryChain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock

    async def trades(self, wallet: str, start: datetime) -> tuple[Hint, ...]:
        logs = await self._chain.fills_of([wallet], block_of(start), self._chain.head_number)
        now = self._clock.now()
        return tuple(Hint(log.tx_hash, wallet.lower(), "activity", now, log.block_at) for log in logs)

    async def positions(self, wallet: str) -> tuple[PublicPosition, ...]:
        tokens = await self._chain.tokens_of(wallet)
        held = [PublicPosition(token, await self._chain.token_balance(wallet, token)) for token in tokens]
        return tuple(position for position in held if position.shares_micros)


def _take(intent: Intent, levels: Sequence[Level]) -> Sweep:
    """What a FAK order gets: a BUY spends its maker amount, a SELL gives it, neither beyond the limit."""
    fields, limit = intent.fields, intent.limit_micros
    if fields.side is Side.SELL:
        return sweep(tuple(levels), fields.maker_amount, limit, Side.SELL)
    shares = spent = worst = 0
    for level in levels:
        if level.price_micros > limit or spent >= fields.maker_amount:
            break
        here = min(mul_div(level.size_micros, level.price_micros, MICRO), fields.maker_amount - spent)
        shares, spent, worst = shares + mul_div(here, MICRO, level.price_micros), spent + here, level.price_micros
    return Sweep(shares, spent, worst)


def _digest(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}|{name}".encode()).hexdigest()
