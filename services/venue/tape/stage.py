"""What a tape needs before it plays: its markets listed, its wallets with money and shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from eth_utils.crypto import keccak
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.venue.bank import Bank, Funding
from services.venue.clock import Clock
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import MICRO, Market
from services.venue.tape.format import BookLine, MarketLine, Tape, TradeLine
from services.venue.tape.player import Player
from services.venue.traders.pen import Pen
from services.venue.traders.wallets import Trader, trader

# A purchase pays fees on top, and prices are rounded to the grid.
MARGIN = Decimal("1.3")
POCKET_MICROS = 1_000 * MICRO
DAY_S = 86_400
FIRST_EVENT = 95_001


class Stage:
    """The tape of one venue; `markets` are the tape's (`listed_markets`), and the exchange lists them."""

    def __init__(
        self,
        tape: Tape,
        markets: Sequence[Market],
        exchange: Exchange,
        bank: Bank,
        journal: Journal,
        clock: Clock,
        seed: int,
        speed: float,
    ) -> None:
        self._tape = tape
        self._exchange = exchange
        self._bank = bank
        self._markets = dict(zip(tape.markets, markets, strict=True))
        self._maker = trader(seed, "tape-maker")
        self._takers: dict[str, Trader] = {
            wallet: trader(seed, f"tape-{number}") for number, wallet in enumerate(tape.wallets, 1)
        }
        pen = Pen(seed, clock.now_ms, exchange.contract_of)
        self.player = Player(
            tape, exchange, self._markets, self._maker, self._takers, pen, clock, journal.note, speed=speed
        )

    def names(self) -> Mapping[str, str]:
        """What the traders are called, by address."""
        return {one.address: one.name for one in (self._maker, *self._takers.values())}

    def routes(self) -> list[Route]:
        return [Route("/admin/tape", self._show)]

    async def _show(self, _: Request) -> Response:
        return JSONResponse(self.player.report())

    async def prepare(self) -> None:
        """Gives everybody what his trades need, and as much to the maker, who faces all of them."""
        money, shares = _needs(self._tape)
        volume = sum(money.values(), Decimal(0)) + sum(shares.values(), Decimal(0))
        books: defaultdict[str, Decimal] = defaultdict(Decimal)
        for entry in self._tape.entries:
            if isinstance(entry, BookLine):
                whole = sum((size for _, size in (*entry.bids, *entry.asks)), Decimal(0))
                books[entry.market] = max(books[entry.market], whole)
        depth = sum(books.values(), Decimal(0))
        sets = {name: _micros(books[name] + _volume(self._tape, name)) + POCKET_MICROS for name in self._markets}
        purse = _micros(volume + depth) + POCKET_MICROS + sum(sets.values())
        fundings = [Funding(self._maker.address, purse)]
        splits = [(self._maker.address, self._markets[name].condition_id, micros) for name, micros in sets.items()]
        for wallet, one in self._takers.items():
            sold = {name: _micros(shares[wallet, name]) for name in self._markets if shares[wallet, name]}
            fundings.append(Funding(one.address, _micros(money[wallet]) + sum(sold.values()) + POCKET_MICROS))
            splits += [(one.address, self._markets[name].condition_id, micros) for name, micros in sold.items()]
        await self._bank.fund_many(fundings)
        await self._bank.split_many(splits)
        for one in (self._maker, *self._takers.values()):
            await self._exchange.wallets.read(one.address)


async def listed_markets(tape: Tape, bank: Bank, seed: int, now_s: int) -> list[Market]:
    """Prepares a condition for each market of the tape; the same seed gives the same tokens. Nobody quotes them but the tape."""
    questions = [keccak(text=f"polycopy venue {seed} tape {name}") for name in tape.markets]
    created = await bank.create_markets(questions)
    return [
        _market(number, line, made, "0x" + question.hex(), now_s)
        for number, (line, made, question) in enumerate(zip(tape.markets.values(), created, questions, strict=True))
    ]


def _market(number: int, line: MarketLine, made: tuple[str, int, int], question_id: str, now_s: int) -> Market:
    condition, yes, no = made
    return Market(
        condition_id=condition,
        question=line.question,
        slug=line.slug,
        event_slug=line.slug,
        event_id=str(FIRST_EVENT + number),
        outcomes=line.outcomes,
        tokens=(str(yes), str(no)),
        tick_micros=int(line.tick * MICRO),
        min_size_micros=int(line.min_size * MICRO),
        fee_rate=line.fee_rate,
        end_at=now_s // DAY_S * DAY_S + 30 * DAY_S,
        quoted=False,
        question_id=question_id,
    )


def _needs(tape: Tape) -> tuple[defaultdict[str, Decimal], defaultdict[tuple[str, str], Decimal]]:
    """Dollars that each wallet pays, and shares that it sells by market: all that it may need, whatever it gets in between."""
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    shares: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in tape.entries:
        if isinstance(entry, TradeLine) and entry.side == "BUY":
            money[entry.wallet] += entry.price * entry.size
        elif isinstance(entry, TradeLine):
            shares[entry.wallet, entry.market] += entry.size
    return money, shares


def _volume(tape: Tape, market: str) -> Decimal:
    return sum(
        (entry.size for entry in tape.entries if isinstance(entry, TradeLine) and entry.market == market), Decimal(0)
    )


def _micros(amount: Decimal | int) -> int:
    return int(Decimal(amount) * MARGIN * MICRO)
