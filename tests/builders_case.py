"""Cases for decisions: a ten per cent copy of a $50 BUY that every guard allows, and a sale of what an exit owes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.domain.account import Account, Exposure, Holding, Limits, OpenIntent
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.follow import Follow, FollowState, Policy
from services.common.domain.intent import Attempt, Intent, IntentState, OrderFields, OrderType, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Fee, Level, Market, Side, Token, TokenProtocol
from services.common.domain.trade import LeaderTrade
from services.engine.case import Case, Funds
from services.engine.pricing import drafted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEADER = "0x1ead00000000000000000000000000000000000a"
WALLET = "0x0000000000000000000000000000000000000abc"
MAKER = "0x0000000000000000000000000000000000000def"
YES, NO = "71", "72"
CONDITION = "0xc0"
EVENT = "event-1"
DOLLAR = 1_000_000
SHARE = 1_000_000
CENT = 10_000


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def a_trade(**changes: Any) -> LeaderTrade:
    """The leader bought 100 shares at $0.50, a second ago."""
    trade = LeaderTrade(
        key="137|0xt|0xo",
        leader=LEADER,
        token_id=YES,
        side=Side.BUY,
        shares_micros=100 * SHARE,
        usdc_micros=50 * DOLLAR,
        traded_at=NOON - seconds(1),
        tx_hash="0xt",
        order_hash="0xo",
        block_number=10,
        log_index=3,
        condition_id=CONDITION,
        counterparties=(MAKER,),
    )
    return replace(trade, **changes)


def a_copy(**changes: Any) -> Copy:
    copy = Copy(
        copy_id="copy-1",
        idempotency_key="key-1",
        account_id="main",
        follow_id=f"main:{LEADER}",
        kind=CopyKind.ENTRY,
        trade=a_trade(),
        policy=Policy(),
        policy_version=1,
        detected_at=NOON,
        state=CopyState.CLAIMED,
        fence=1,
    )
    return replace(copy, **changes)


def a_market(**changes: Any) -> Market:
    market = Market(
        condition_id=CONDITION,
        event_id=EVENT,
        slug="rain",
        title="Rain?",
        tokens=(Token(YES, "Yes"), Token(NO, "No")),
        tick_micros=CENT,
        min_size_micros=5 * SHARE,
        fee=Fee(20_000),
        protocol=TokenProtocol.CTF,
        neg_risk=False,
        active=True,
        closed=False,
        archived=False,
        accepting_orders=True,
        has_book=True,
        uma_status="",
        ends_at=NOON + timedelta(days=1),
        read_at=NOON,
        tags=("weather",),
    )
    return replace(market, **changes)


def levels(*pairs: tuple[str, int]) -> tuple[Level, ...]:
    """Levels of (cents, shares), best first: ("49", 1000)."""
    return tuple(Level(round(float(cents) * CENT), shares * SHARE) for cents, shares in pairs)


def a_book(**changes: Any) -> Book:
    """Bid 49 cents, ask 50, a thousand shares each, deeper behind; mid has not moved, unless it is said where it was."""
    bids, asks = levels(("49", 1000), ("48", 5000)), levels(("50", 1000), ("51", 5000))
    book = replace(Book(YES, bids, asks, NOON - seconds(1)), **changes)
    return book if book.mid_then_micros is not None else replace(book, mid_then_micros=book.mid_micros)


def an_open_intent(**changes: Any) -> OpenIntent:
    """An order of ours for 10 YES at $0.40 that may still fill."""
    intent = OpenIntent(
        "other", CONDITION, EVENT, YES, LEADER, Side.BUY, 10 * SHARE, 4 * DOLLAR, 0, 400_000, NOON - seconds(9)
    )
    return replace(intent, **changes)


def a_holding(**changes: Any) -> Holding:
    return replace(Holding(YES, CONDITION, EVENT, 10 * SHARE, 5 * DOLLAR), **changes)


def an_intent(state: IntentState = IntentState.OPEN, *outcomes: Outcome, **changes: Any) -> Intent:
    """An order for 10 shares at $0.50 and its attempts, a second apart."""
    fields = OrderFields(1, WALLET, WALLET, YES, 5 * DOLLAR, 10 * SHARE, Side.BUY, 0, 0, "0x0", "0x0", 137, "0xe", "2")
    attempts = tuple(Attempt(n, NOON - seconds(30) + seconds(n), outcome) for n, outcome in enumerate(outcomes, 1))
    intent = Intent(
        1, "0xhash", fields, OrderType.FAK, NOON, 500_000, 10 * SHARE, 5 * DOLLAR, 0, "1", "c", attempts, "0xs", state
    )
    return replace(intent, **changes)


def an_account(limits: Mapping[str, int] | None = None, **exposure: Any) -> Account:
    """An account with nothing at risk; `limits` and `exposure` by field."""
    return Account(
        "main",
        WALLET,
        WALLET,
        0,
        WALLET,
        seq=7,
        active_version="1",
        limits=replace(Limits(), **(limits or {})),
        exposure=Exposure(**exposure),
    )


def a_case(*, draft: Mapping[str, Any] | None = None, drafts: bool = True, **changes: Any) -> Case:
    """A BUY of $5 at $0.50 that every guard allows; `draft` changes fields of the order that pricing proposes.

    `trade`, `policy` and `copy` may be given as mappings of fields to change.
    """
    parts = {name: changes.pop(name, {}) for name in ("trade", "policy", "copy")}
    copy = a_copy(trade=a_trade(**parts["trade"]), policy=replace(Policy(), **parts["policy"]), **parts["copy"])
    case = Case(
        now=NOON,
        copy=copy,
        account=an_account(),
        follow=Follow(copy.follow_id, "main", LEADER, copy.policy, 1, FollowState.ACTIVE, NOON - timedelta(days=9)),
        market=a_market(),
        book=a_book(),
        funds=Funds(1_000 * DOLLAR, 1_000_000 * DOLLAR, NOON - seconds(1)),
        settled_micros=0,
        others_micros=0,
        recent_orders=(),
        repetitions=0,
        own_wallets=frozenset({WALLET}),
        marks={},
        steps=(),
        deadline_at=NOON + seconds(15),
    )
    case = replace(case, **changes)
    case = drafted(case) if drafts else case
    return replace(case, draft=replace(case.draft, **draft)) if draft and case.draft else case


def an_exit_case(*, owed: int = 20 * SHARE, **changes: Any) -> Case:
    """An attempt to sell 20 of 50 settled shares, an hour after the leader sold at $0.50; the exit was opened ten seconds ago."""
    trade = {"side": Side.SELL, "traded_at": NOON - timedelta(hours=1), **changes.pop("trade", {})}
    copy = {"kind": CopyKind.EXIT, "owed_micros": owed, "exit_id": "exit-1", **changes.pop("copy", {})}
    facts = {"settled_micros": 50 * SHARE, "exit_opened_at": NOON - seconds(10), **changes}
    return a_case(trade=trade, copy=copy, **facts)
