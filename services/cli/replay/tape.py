"""A recording as it is played: the leaders' fills in order, the markets they are in, and the chain that they left behind."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.cli.replay.model import Model
from services.common.domain.market import Market, Side, Token, TokenProtocol
from services.common.domain.trade import LeaderTrade
from services.common.polymarket.parse.activity import ActivityKind, ActivityRow
from services.common.polymarket.parse.history import oldest_first, trades_of
from services.common.ports.chain import Receipt, Transfer

STEP = timedelta(milliseconds=1)
STEPS = 999
"""How many fills of one second can follow each other before the next second begins; later ones come together."""


@dataclass(frozen=True, slots=True)
class Played:
    """One fill with the moment it happens: fills of one second follow each other in the file's order."""

    trade: LeaderTrade
    at: datetime


@dataclass(frozen=True, slots=True)
class Tape:
    """What is played. `markets` by condition id; `over` says when a market has been redeemed.

    `others` counts rows that are no fills, `repeats` fills that are exact repeats of another: they are played like any other.
    """

    played: tuple[Played, ...]
    markets: Mapping[str, Market]
    over: Mapping[str, datetime]
    others: Mapping[str, int]
    repeats: int

    @property
    def leaders(self) -> tuple[str, ...]:
        """Every leader, in order of address."""
        return tuple(sorted({one.trade.leader for one in self.played}))


def merged(histories: Sequence[Sequence[ActivityRow]]) -> tuple[ActivityRow, ...]:
    """The rows of several histories; rows that two of them share count as often as in the one that has most of them."""
    rows: list[ActivityRow] = []
    known: Counter[ActivityRow] = Counter()
    for history in histories:
        here: Counter[ActivityRow] = Counter()
        for row in history:
            here[row] += 1
            if here[row] > known[row]:
                rows.append(row)
        known |= here
    return tuple(rows)


def record(rows: Iterable[ActivityRow], model: Model) -> Tape:
    """The tape of these rows."""
    ordered = oldest_first(rows)
    fills = [row for row in ordered if row.kind is ActivityKind.TRADE]
    return Tape(
        played=tuple(_played(trades_of(ordered))),
        markets=_markets(fills, model),
        over=_over(ordered),
        others=Counter(str(row.kind) for row in ordered if row.kind is not ActivityKind.TRADE),
        repeats=len(fills) - len(set(fills)),
    )


def _played(trades: Sequence[LeaderTrade]) -> Iterator[Played]:
    """Trades in the chain's words: the second is the block, the place in it the log. What stands for the leader's order, which the
    recording does not name, is the trade's own key."""
    placed: Counter[datetime] = Counter()
    for trade in trades:
        index = placed[trade.traded_at]
        placed[trade.traded_at] += 1
        order_hash = "0x" + hashlib.sha256(trade.key.encode()).hexdigest()
        block = int(trade.traded_at.timestamp())
        placed_trade = replace(trade, order_hash=order_hash, block_number=block, log_index=index, counterparties=())
        yield Played(placed_trade, trade.traded_at + min(index, STEPS) * STEP)


def receipts(tape: Tape, exchange: str) -> Iterator[Receipt]:
    """The transactions of the leaders. Nobody gives away what he is not known to hold: a sale moves what he was seen to buy."""
    held: Counter[tuple[str, str]] = Counter()
    moves: defaultdict[str, list[Transfer]] = defaultdict(list)
    first: dict[str, LeaderTrade] = {}
    for trade in (one.trade for one in tape.played):
        first.setdefault(trade.tx_hash, trade)
        owner = (trade.leader, trade.token_id)
        buys = trade.side is Side.BUY
        shares = trade.shares_micros if buys else min(trade.shares_micros, held[owner])
        held[owner] += shares if buys else -shares
        sender, receiver = (exchange, trade.leader) if buys else (trade.leader, exchange)
        moves[trade.tx_hash].append(
            Transfer(sender, receiver, trade.token_id, shares, trade.tx_hash, trade.block_number, trade.log_index)
        )
    for tx_hash, trade in first.items():
        yield Receipt(tx_hash, trade.block_number, "", trade.traded_at, True, (), tuple(moves[tx_hash]))


def _markets(fills: Sequence[ActivityRow], model: Model) -> dict[str, Market]:
    by_condition: defaultdict[str, list[ActivityRow]] = defaultdict(list)
    for row in fills:
        by_condition[row.condition_id].append(row)
    return {condition: _market(condition, rows, model) for condition, rows in by_condition.items()}


def _market(condition: str, rows: Sequence[ActivityRow], model: Model) -> Market:
    last = rows[-1]
    return Market(
        condition_id=condition,
        event_id=last.event_slug,
        slug=last.slug,
        title=last.title,
        tokens=_tokens(condition, rows),
        tick_micros=model.tick_micros,
        min_size_micros=model.min_size_micros,
        fee=model.fee,
        protocol=TokenProtocol.CTF,
        neg_risk=False,
        active=True,
        closed=False,
        archived=False,
        accepting_orders=True,
        has_book=True,
        uma_status="",
        ends_at=last.traded_at + model.ends_after,
        read_at=last.traded_at,
        event_slug=last.event_slug,
        icon=last.icon,
    )


def _tokens(condition: str, rows: Sequence[ActivityRow]) -> tuple[Token, Token]:
    known = {row.token_id: row for row in rows}
    ordered = sorted(known.values(), key=lambda row: (row.outcome_index or 0, row.token_id))
    tokens = [Token(row.token_id, row.outcome) for row in ordered[:2]]
    if len(tokens) == 2:
        return tokens[0], tokens[1]
    # The other outcome was never traded: it needs a name of its own, nothing more.
    other = Token(str(int(hashlib.sha256(f"complement|{condition}".encode()).hexdigest(), 16)), "")
    return (other, tokens[0]) if ordered[0].outcome_index == 1 else (tokens[0], other)


def _over(rows: Iterable[ActivityRow]) -> dict[str, datetime]:
    """Since when each redeemed market is over: a redemption proves it, and so much the later a fill that follows it."""
    redeemed: dict[str, datetime] = {}
    for row in rows:
        if row.kind is ActivityKind.REDEEM and row.condition_id:
            redeemed.setdefault(row.condition_id, row.traded_at)
        elif row.kind is ActivityKind.TRADE and row.condition_id in redeemed:
            redeemed[row.condition_id] = row.traded_at + timedelta(seconds=1)
    return redeemed
