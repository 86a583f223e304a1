"""The traders as one: funded, quoting, and ready to be driven."""

from __future__ import annotations

import asyncio
from random import Random

from starlette.routing import Route

from services.venue.background import Background
from services.venue.bank import Bank, Funding
from services.venue.clock import Clock
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import Side
from services.venue.resolution import Resolution
from services.venue.traders.admin import TradersAdmin
from services.venue.traders.crowd import Crowd
from services.venue.traders.desk import Desk, Wish
from services.venue.traders.makers import Makers
from services.venue.traders.pen import Pen
from services.venue.traders.runner import Placed, Runner
from services.venue.traders.summary import Summary
from services.venue.traders.wallets import COUNTERPARTY, LEADERS, Trader, cast_of

USDC = 1_000_000
SHARE = 1_000_000
MONEY = {"leader": 100_000 * USDC, "maker": 20_000_000 * USDC, "counterparty": 5_000_000 * USDC}
SETS = {"maker": 500_000 * SHARE, "counterparty": 100_000 * SHARE}
SETTLED_WITHIN_S = 60.0


class Company:
    """`prepare` before the venue says that it is ready, `close` at its end; the makers refill for as long as `background` does."""

    def __init__(
        self,
        exchange: Exchange,
        bank: Bank,
        journal: Journal,
        seed: int,
        clock: Clock,
        background: Background,
        leaders: int = LEADERS,
    ) -> None:
        self.everyone = cast_of(seed, leaders)
        self._exchange = exchange
        self._bank = bank
        self._seed = seed
        self._clock = clock
        self._background = background
        pen = Pen(seed, clock.now_ms, exchange.contract_of)
        names = self.names
        self.desk = Desk(exchange, self.everyone, journal, pen)
        self.runner = Runner(self.desk, seed, journal.note, clock)
        crowd = self._leaders()[LEADERS:]
        self._crowd = Crowd(crowd, self.everyone[COUNTERPARTY], exchange, self.desk)
        self._makers = Makers(
            exchange, [one for one in self.everyone.values() if one.role == "maker"], pen, seed, clock
        )
        summary = Summary(lambda: journal.after(0), names)
        self._admin = TradersAdmin(self.desk, self.runner, summary, Resolution(exchange, bank, journal))
        exchange.subscribe(self.desk.hear)
        exchange.subscribe(self._makers.hear)

    @property
    def names(self) -> dict[str, str]:
        """By address."""
        return {one.address: one.name for one in self.everyone.values()}

    def routes(self) -> list[Route]:
        return self._admin.routes()

    async def prepare(self, *, history: int = 0) -> None:
        """Funds everyone, quotes every market, and lets the first leaders trade `history` times, the others once."""
        everyone = list(self.everyone.values())
        await self._bank.fund_many([Funding(one.address, MONEY[one.role]) for one in everyone])
        await self._bank.split_many(
            [
                (one.address, market.condition_id, SETS[one.role])
                for one in everyone
                if one.role in SETS
                for market in self._exchange.markets.values()
                if market.quoted
            ]
        )
        for one in everyone:
            await self._exchange.wallets.read(one.address)
        self._makers.quote()
        self._background.start("makers", self._makers.run())
        await self._trade_before(history)
        await self._crowd.trade()

    async def close(self) -> None:
        await self.runner.close()

    async def _trade_before(self, count: int) -> None:
        chance, leaders = Random(f"history {self._seed}"), self._leaders()[:LEADERS]
        placed: list[Placed] = []
        for number in range(count):
            wish = Wish(
                trader=leaders[number % len(leaders)].name,
                market=chance.randrange(min(len(self._exchange.markets), 4)),
                outcome=chance.randrange(2),
                side=Side.BUY,
                shares_micros=chance.randrange(50, 160, 10) * SHARE,
            )
            placed.append(self.desk.trade(wish))
            # A pause now and then lets the makers fill up what was eaten.
            await self._clock.sleep(0.15 if number % 5 == 4 else 0)
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while any(self.desk.mined_micros(one.order_hash) < one.matched_micros for one in placed):
                await self.desk.next_fill()

    def _leaders(self) -> list[Trader]:
        return [one for one in self.everyone.values() if one.is_leader]
