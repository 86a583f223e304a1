"""A finished run for tests of the proof: what our stores hold, and the lines of the venue's log, which agree until a test spoils them."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from services.cli import venue_log
from services.cli.books import Books
from services.cli.summary import summary
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit
from services.common.domain.fill import Fill, Position, ReconciliationResult, TradeStatus
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from tests.builders import ACCOUNT, CONDITION, LEADER, NOON, TOKEN, a_copy, a_follow, a_trade, an_intent

SHARES, PAID, FEE = 10_000_000, 5_000_000, 20_000
SOLD, GOT, SALE_FEE = 4_000_000, 2_200_000, 9_000
LEFT = SHARES - SOLD
COST = PAID + FEE
OUT = COST * SOLD // SHARES
ACKED = (Attempt(1, NOON, Outcome.ACKED, 200),)
NOON_MS = int(NOON.timestamp() * 1000)


@dataclass
class Run:
    """A run that a test may spoil: what our stores hold, and the lines of the venue's log."""

    copies: dict[str, Copy]
    fills: list[Fill]
    positions: list[Position]
    lines: list[dict[str, Any]]
    results: list[ReconciliationResult]
    accounts: list[str] = field(default_factory=lambda: [ACCOUNT])
    follows: list[Any] = field(default_factory=lambda: [a_follow()])
    exits: list[Exit] = field(default_factory=list)

    def change(self, name: str, **changes: Any) -> None:
        self.copies[name] = replace(self.copies[name], **changes)

    def change_intent(self, name: str, **changes: Any) -> None:
        intent = self.copies[name].intent
        assert intent is not None
        self.change(name, intent=replace(intent, **changes))

    def change_fill(self, number: int, **changes: Any) -> None:
        self.fills[number] = replace(self.fills[number], **changes)

    def line(self, kind: str, number: int = 0) -> dict[str, Any]:
        return [line for line in self.lines if line["kind"] == kind][number]

    def summary(self) -> dict[str, Any]:
        books = Books(
            tuple(self.copies.values()),
            tuple(self.fills),
            tuple(self.positions),
            tuple(self.results),
            tuple(self.accounts),
            tuple(self.follows),
            tuple(self.exits),
        )
        log = venue_log.read(self.lines, self.accounts)
        return summary(books, log, seed=1, version="1.0", config_hash="c0ffee")


def _entry() -> Copy:
    intent = an_intent(1, attempts=ACKED)
    amounts = {"filled_micros": SHARES, "paid_micros": PAID, "fee_micros": FEE}
    return a_copy(1, state=CopyState.RECONCILED, intent=intent, **amounts)


def _exit() -> Copy:
    fields = replace(an_intent(2).fields, side=Side.SELL, maker_amount=SOLD, taker_amount=2_000_000)
    intent = an_intent(2, attempts=ACKED, fields=fields)
    amounts = {"filled_micros": SOLD, "paid_micros": GOT, "fee_micros": SALE_FEE}
    made = a_copy(2, kind=CopyKind.EXIT, state=CopyState.RECONCILED, intent=intent, **amounts)
    return replace(made, exit_id="the exit", attempt_number=1)


def _fill(copy: Copy, side: Side) -> Fill:
    assert copy.intent is not None
    return Fill(
        ACCOUNT,
        f"trade of {copy.intent.order_hash}",
        copy.intent.order_hash,
        copy.copy_id,
        CONDITION,
        TOKEN,
        side,
        copy.filled_micros,
        copy.paid_micros,
        copy.fee_micros,
        TradeStatus.CONFIRMED,
        NOON,
        booked=True,
    )


def _lines(copy: Copy, side: Side) -> list[dict[str, Any]]:
    """The venue's lines of a copy that met its order in full, and of the leader's fill behind it."""
    assert copy.intent is not None
    ours = {"at_ms": NOON_MS + 50, "token": TOKEN, "side": str(side)}
    known = copy.intent.order_hash
    amounts = {"size_micros": copy.filled_micros, "usdc_micros": copy.paid_micros, "fee_micros": copy.fee_micros}
    leader = {"wallet": LEADER, "tx_hash": copy.trade.tx_hash, "order_hash": copy.trade.order_hash, "token": TOKEN}
    sizes = {"size_micros": 10_000_000, "usdc_micros": 5_000_000, "side": str(side)}
    return [
        {"kind": "leader_fill", "mined_at_ms": NOON_MS, **leader, **sizes},
        {
            "kind": "order_received",
            "hash": known,
            "maker": ACCOUNT.upper().replace("X", "x"),
            "outcome": "accepted",
            **ours,
        },
        {"kind": "wallet_fill", "wallet": ACCOUNT, "order_hash": known, **ours, **amounts},
    ]


def a_run() -> Run:
    """A BUY of ten shares, and four of them sold because the leader sold."""
    bought, sold = _entry(), _exit()
    debt = a_copy(2, kind=CopyKind.DEBT, state=CopyState.RECONCILED, exit_id="the exit", member_of=sold.copy_id)
    realized = GOT - SALE_FEE - OUT
    held = Position(
        ACCOUNT,
        ACCOUNT,
        TOKEN,
        CONDITION,
        LEFT,
        COST - OUT,
        SHARES,
        realized,
        FEE + SALE_FEE,
        NOON,
        mark_micros=500_000,
    )
    result = ReconciliationResult(
        "r1", ACCOUNT, NOON + timedelta(seconds=9), NOON + timedelta(seconds=9), 1, (), 0, True
    )
    return Run(
        copies={"entry": bought, "debt": debt, "exit": sold},
        fills=[_fill(bought, Side.BUY), _fill(sold, Side.SELL)],
        positions=[held],
        lines=[*_lines(bought, Side.BUY), *_lines(sold, Side.SELL)],
        results=[result],
    )


def hashes_of(number: int) -> dict[str, str]:
    """What makes a leader's fill that of `a_copy(number)`."""
    trade = a_trade(number)
    return {"tx_hash": trade.tx_hash, "order_hash": trade.order_hash}
