"""Guards of identity and time at their bounds."""

from dataclasses import replace

from services.common.domain.account import AccountState
from services.common.domain.follow import FollowState
from services.common.domain.intent import IntentState, Outcome
from tests.builders_case import (
    LEADER,
    MAKER,
    NOON,
    WALLET,
    a_case,
    a_market,
    an_account,
    an_intent,
    seconds,
)
from tests.guard_rows.row import MS, Row, follow

ROWS: list[Row] = [
    (
        "trade_time",
        "thirty seconds old",
        lambda: a_case(trade={"traded_at": NOON - seconds(30)}),
        lambda: a_case(trade={"traded_at": NOON - seconds(30) - MS}),
        "too_old",
    ),
    (
        "trade_time",
        "two seconds ahead of the clock",
        lambda: a_case(trade={"traded_at": NOON + seconds(2)}),
        lambda: replace(a_case(), now=NOON, copy=a_case(trade={"traded_at": NOON + seconds(2) + MS}).copy),
        "in_future",
    ),
    (
        "trade_time",
        "made with the follow",
        lambda: follow(a_case(), created_at=NOON - seconds(1)),
        lambda: follow(a_case(), created_at=NOON - seconds(1) + MS),
        "before_follow",
    ),
    (
        "idempotency",
        "the last order is final with nothing filled",
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.REJECTED, Outcome.ACKED)}),
        lambda: a_case(copy={"intent": an_intent(IntentState.OPEN, Outcome.UNKNOWN)}),
        "intent_exists",
    ),
    (
        "idempotency",
        "a final order that filled",
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.ACKED)}),
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.ACKED), "filled_micros": 1}),
        "intent_exists",
    ),
    (
        "idempotency",
        "an answer that is not definitive",
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.NOT_SENT)}),
        lambda: a_case(copy={"intent": an_intent(IntentState.FINAL, Outcome.DUPLICATED, Outcome.REJECTED)}),
        "intent_exists",
    ),
    (
        "parties",
        "a follow that takes entries",
        a_case,
        lambda: follow(a_case(), state=FollowState.CLOSING),
        "follow_closed",
    ),
    (
        "parties",
        "an account that takes entries",
        a_case,
        lambda: a_case(account=replace(an_account(), state=AccountState.REDUCING)),
        "account_disabled",
    ),
    (
        "parties",
        "another market is denied",
        lambda: a_case(policy={"denied_markets": ("0xc1",)}),
        lambda: a_case(policy={"denied_markets": ("0xc1", "0xc0")}),
        "market_denied",
    ),
    (
        "parties",
        "the leader is ourselves",
        lambda: a_case(own_wallets=frozenset({WALLET, LEADER[:-1] + "b"})),
        lambda: a_case(own_wallets=frozenset({WALLET, LEADER.upper()})),
        "own_wallet",
    ),
    (
        "parties",
        "another subject is denied",
        lambda: a_case(policy={"denied_tags": ("sports",)}),
        lambda: a_case(policy={"denied_tags": ("sports", "weather")}),
        "tag_denied",
    ),
    (
        "parties",
        "a subject that nobody knows is only asked for where some are denied",
        lambda: a_case(market=a_market(tags=None)),
        lambda: a_case(market=a_market(tags=None), policy={"denied_tags": ("sports",)}),
        "missing",
    ),
    (
        "parties",
        "he traded with somebody else",
        lambda: a_case(trade={"counterparties": (MAKER,)}),
        lambda: a_case(trade={"counterparties": (MAKER, WALLET)}),
        "own_counterparty",
    ),
    (
        "parties",
        "he met nobody, or nobody knows whom",
        lambda: a_case(trade={"counterparties": ()}),
        lambda: a_case(trade={"counterparties": None}),
        "missing",
    ),
    (
        "deadline",
        "five seconds left",
        lambda: a_case(deadline_at=NOON + seconds(5)),
        lambda: a_case(deadline_at=NOON + seconds(5) - MS),
        "too_late",
    ),
    (
        "deadline",
        "fifteen seconds away",
        lambda: a_case(deadline_at=NOON + seconds(15)),
        lambda: a_case(deadline_at=NOON + seconds(15) + MS),
        "too_far",
    ),
]
