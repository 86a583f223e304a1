"""The venue's truth in a simulated world: what arrived, what matched, and what the chain made of it."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx

from services.common.chain.memory import block_of
from services.common.domain.fill import TRADE_TERMINAL, TradeStatus
from services.common.domain.intent import Intent, Outcome
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div
from services.common.polymarket import classify
from services.common.polymarket.parse.payload import UnknownPayload
from services.common.ports.chain import OrderFilled, Receipt, Transfer
from services.common.ports.venue import Answer, OpenOrder, Permission, VenueTrade, Wallet
from tests.builders import CONDITION
from tests.simulation import replies
from tests.simulation.chain import SimChain, Undoing
from tests.simulation.channel import SimChannel
from tests.simulation.process import Process, Wire
from tests.simulation.replies import Reply
from tests.simulation.virtual_time import SimClock
from tests.simulation.weather import Weather

LOT = 10_000
TIMEOUT_S = 5.0
LATEST_S = 45.0
OVERLAP = timedelta(minutes=1)
UNSETTLED = frozenset({TradeStatus.MATCHED, TradeStatus.RETRYING})


@dataclass
class Arrived:
    """An order that reached the venue. It never rests: what it did not match at once it never will."""

    wallet: str
    intent: Intent
    matched: int
    seen_from_s: float


class SimVenue:
    """`arrived` by order hash, `trades` by order hash; `heard` is told of every order before it has any effect. `on_its_way`: how many
    have left somebody who hears of them no more."""

    def __init__(
        self,
        chain: SimChain,
        clock: SimClock,
        weather: Weather,
        heard: Callable[[str, Intent], None],
        taken_back: Callable[[str], None],
    ) -> None:
        self.arrived: dict[str, Arrived] = {}
        self.trades: defaultdict[str, list[VenueTrade]] = defaultdict(list)
        self._chain = chain
        self._clock = clock
        self._weather = weather
        self._heard = heard
        self._taken_back = taken_back
        self._undone: set[str] = set()
        self.undone = 0
        self.channel = SimChannel(weather)
        self._dice = weather.dice("venue")
        self._forgets = self._dice.random() < 0.5
        self._reads_late = self._dice.choice([0.05, 0.05, 8.0])
        self._settling: set[asyncio.Task[None]] = set()
        self.on_its_way = 0
        self._numbers = 0

    @property
    def is_at_rest(self) -> bool:
        if self.on_its_way or self._undone:
            return False
        return all(trade.status in TRADE_TERMINAL for trades in self.trades.values() for trade in trades)

    def arrive(self, wallet: str, intent: Intent) -> Reply:
        """An order comes in: the exchange fills one hash once at most."""
        self._heard(wallet, intent)
        known, dice = self.arrived.get(intent.order_hash), self._dice
        if known is not None and not (self._forgets and not known.matched):
            return replies.DUPLICATED
        if self._weather.strikes(0.15, dice):
            return dice.choice(replies.REFUSALS)
        shares = intent.shares_micros * dice.choice([0, 0, 1, 2, 2, 2]) // 2 // LOT * LOT
        now_s = self._clock.monotonic()
        self.arrived[intent.order_hash] = Arrived(wallet, intent, shares, now_s + dice.uniform(0, self._reads_late))
        if not shares:
            return replies.taken(intent, "unmatched")
        trade = self._match(wallet, intent, shares)
        if self._weather.strikes(0.1, dice):
            return replies.taken(intent, "delayed")
        usdc = mul_div(shares, trade.price_micros, MICRO)
        return replies.taken(intent, "matched", shares, usdc, trade.trade_id)

    def _match(self, wallet: str, intent: Intent, shares: int) -> VenueTrade:
        self._numbers += 1
        trade = VenueTrade(
            f"t{self._numbers}",
            intent.order_hash,
            CONDITION,
            intent.fields.token_id,
            intent.fields.side,
            shares,
            intent.limit_micros,
            TradeStatus.MATCHED,
            "",
            self._clock.now(),
            True,
        )
        self.trades[intent.order_hash].append(trade)
        self.channel.tell(trade)
        task = asyncio.create_task(self._settle(wallet, intent, trade))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return trade

    async def _settle(self, wallet: str, intent: Intent, trade: VenueTrade) -> None:
        dice = self._weather.dice("settle", trade.trade_id)
        await asyncio.sleep(dice.uniform(0.5, 9))
        while dice.random() < 0.12:
            trade = self._becomes(trade, TradeStatus.RETRYING)
            await asyncio.sleep(dice.uniform(0.5, 20))
        if dice.random() < 0.13:
            self._becomes(trade, TradeStatus.FAILED)
            return
        trade = self._becomes(replace(trade, tx_hash=_digest(trade.trade_id)), TradeStatus.MINED)
        cost = self._mine(wallet, intent, trade)
        confirmed_s, dice = dice.uniform(1, 6), self._weather.dice("undoing", trade.trade_id)
        if self._weather.strikes(self._weather.undoings, dice):
            await self._undo(trade, Undoing.drawn(dice), cost, confirmed_s)
        else:
            await asyncio.sleep(confirmed_s)
            self._becomes(trade, TradeStatus.CONFIRMED)

    async def _undo(self, trade: VenueTrade, undoing: Undoing, cost: Mapping[str, int], confirmed_s: float) -> None:
        """The chain takes the block back. What was confirmed stays so unless it fails: the exchange's word is not taken back with it."""
        await asyncio.sleep(min(confirmed_s, undoing.after_s))
        if confirmed_s < undoing.after_s:
            trade = self._becomes(trade, TradeStatus.CONFIRMED)
            await asyncio.sleep(undoing.after_s - confirmed_s)
        receipt = self._chain.take_back(trade.tx_hash, cost)
        self._taken_back(trade.tx_hash)
        self._undone.add(trade.trade_id)
        self.undone += 1
        if trade.status is not TradeStatus.CONFIRMED:
            trade = self._becomes(trade, TradeStatus.RETRYING)
        await asyncio.sleep(undoing.back_after_s)
        self._undone.discard(trade.trade_id)
        if undoing.fails:
            self._becomes(trade, TradeStatus.FAILED)
            return
        tx_hash = trade.tx_hash if undoing.same else _digest(f"{trade.trade_id} again")
        self._chain.mine_again(receipt, tx_hash, cost)
        confirmed = trade.status is TradeStatus.CONFIRMED
        trade = self._becomes(replace(trade, tx_hash=tx_hash), trade.status if confirmed else TradeStatus.MINED)
        if not confirmed:
            await asyncio.sleep(confirmed_s)
            self._becomes(trade, TradeStatus.CONFIRMED)

    def _becomes(self, trade: VenueTrade, status: TradeStatus) -> VenueTrade:
        after, ours = replace(trade, status=status), self.trades[trade.order_hash]
        ours[:] = [after if one.trade_id == trade.trade_id else one for one in ours]
        self.channel.tell(after)
        return after

    def _mine(self, wallet: str, intent: Intent, trade: VenueTrade) -> dict[str, int]:
        """Settle it in a block; what that moves of the wallet's collateral."""
        fields, buys = intent.fields, trade.side is Side.BUY
        usdc, block = mul_div(trade.shares_micros, trade.price_micros, MICRO), block_of(self._clock.now())
        amounts = (usdc, trade.shares_micros) if buys else (trade.shares_micros, usdc)
        fill = OrderFilled(
            trade.order_hash, wallet, fields.exchange, fields.exchange, trade.side, trade.token_id, *amounts, 0, 1
        )
        ends = (fields.exchange, wallet) if buys else (wallet, fields.exchange)
        move = Transfer(*ends, trade.token_id, trade.shares_micros, trade.tx_hash, block, 0)
        at = datetime.fromtimestamp(block, UTC)
        receipt = Receipt(trade.tx_hash, block, _digest(f"block {block}"), at, True, (fill,), (move,))
        cost = {wallet: -usdc if buys else usdc}
        self._chain.mine(receipt, cost)
        return cost

    def cash_micros(self, wallet: str) -> int:
        """What the matches that are not settled leave of nothing: to be added to the chain's balance."""
        mine = (
            trade
            for known, trades in self.trades.items()
            if self.arrived[known].wallet == wallet
            for trade in trades
            if trade.side is Side.BUY and (trade.status in UNSETTLED or trade.trade_id in self._undone)
        )
        return -sum(mul_div(trade.shares_micros, trade.price_micros, MICRO) for trade in mine)


class Reads:
    """What one wallet may ask of the venue; rows are seen some seconds late."""

    def __init__(self, venue: SimVenue, chain: SimChain, clock: SimClock, wallet: str) -> None:
        self._venue = venue
        self._chain = chain
        self._clock = clock
        self._wallet = wallet

    async def order(self, order_hash: str) -> OpenOrder | None:
        return None

    async def trades(self, order_hash: str, token_id: str, after: datetime) -> tuple[VenueTrade, ...]:
        known = self._venue.arrived.get(order_hash)
        if known is None or known.seen_from_s > self._clock.monotonic():
            return ()
        since = after - OVERLAP
        return tuple(trade for trade in self._venue.trades[order_hash] if trade.matched_at >= since)

    async def wallet(self) -> Wallet:
        cash = await self._chain.collateral_balance(self._wallet) + self._venue.cash_micros(self._wallet)
        return Wallet(cash, 10**18, self._clock.now())

    async def server_time(self) -> datetime:
        return self._clock.now()

    async def permission(self) -> Permission:
        return Permission(closed_only=False, blocked=False)


class SimClob:
    """`Clob` as one process reaches it. What it has sent arrives whether the process still lives or not."""

    def __init__(self, process: Process, venue: SimVenue, reads: Reads, wallet: str) -> None:
        self._process = process
        self._venue = venue
        self._wallet = wallet
        self._dice = process.dice("post")
        self._under_way: set[asyncio.Task[None]] = set()
        wire = Wire(process, reads, "venue", process.weather.reads)
        self.order, self.trades = wire.order, wire.trades
        self.wallet, self.server_time, self.permission = wire.wallet, wire.server_time, wire.permission

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        process, dice = self._process, self._dice
        await process.risk(dice)
        if asyncio.get_running_loop().time() > leave_by:
            return Answer(Outcome.NOT_SENT, code="too_late_to_send")
        answer = await self._send(process.weather.network_kind(dice), intent)
        await process.risk(dice)
        return answer

    async def _send(self, kind: str, intent: Intent) -> Answer:
        try:
            reply = await self._through(kind, intent)
        except httpx.HTTPError as error:
            return classify.of_failure(error)
        try:
            return classify.of_response(reply.status, reply.body, intent)
        except UnknownPayload:
            return Answer(Outcome.UNKNOWN, reply.status, code="unknown payload")

    async def _through(self, kind: str, intent: Intent) -> Reply:
        dice = self._dice
        if kind == "refused":
            raise replies.CONNECTION_REFUSED
        await asyncio.sleep(dice.uniform(0.005, 0.08))
        if kind == "broken_before":
            return replies.broken(dice, intent)
        if kind == "late":
            task = asyncio.create_task(self._arrive_late(dice.uniform(TIMEOUT_S, LATEST_S), intent))
            self._under_way.add(task)
        if kind in {"lost", "late"}:
            await asyncio.sleep(TIMEOUT_S)
            raise replies.TIMED_OUT
        reply = self._venue.arrive(self._wallet, intent)
        if kind == "broken_after":
            return replies.broken(dice, intent)
        await asyncio.sleep(TIMEOUT_S if kind == "answer_lost" else dice.uniform(0.001, 0.06))
        if kind == "answer_lost":
            raise replies.TIMED_OUT
        return reply

    async def _arrive_late(self, after_s: float, intent: Intent) -> None:
        self._venue.on_its_way += 1
        await asyncio.sleep(after_s)
        self._venue.on_its_way -= 1
        self._venue.arrive(self._wallet, intent)


def _digest(name: str) -> str:
    return "0x" + hashlib.sha256(name.encode()).hexdigest()
