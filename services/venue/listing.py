"""The markets that a fresh venue lists: seeded names, ticks and fees on conditions that the chain has prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import Any, cast

from eth_utils.crypto import keccak

from services.venue.bank import Bank
from services.venue.conditions import Condition, neg_risk, neg_risk_market_id, position, standard
from services.venue.model import Market
from services.venue.refusals import TAKER_DECIMALS, Refusal

SHARE = 1_000_000
LONGEST_DELAY_MS = 600_000
MOST_FEE = Decimal("0.1")
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """What sets a market apart. `event` is the question that the markets of a neg-risk event answer together, `title` this answer."""

    question: str
    tick_micros: int
    fee_rate: Decimal
    outcomes: tuple[str, str] = ("Yes", "No")
    delay_ms: int = 0
    auto_tick: bool = False
    quoted: bool = True
    version: str = "v1"
    event: str = ""
    title: str = ""


_CUP = "Who wins the cup?"

# Addressed by place: what is new comes last.
LISTING = (
    Listed("Will it rain in Lisbon tomorrow?", 10_000, Decimal(0)),
    Listed("Will the home side win on Sunday?", 10_000, Decimal("0.03")),
    Listed("Bitcoin up or down today?", 1_000, Decimal("0.04"), ("Up", "Down")),
    Listed("Will the bill pass this month?", 10_000, Decimal(0)),
    Listed("Will the launch slip to next year?", 10_000, Decimal(0)),
    Listed("Will the sun rise?", 1_000, Decimal(0)),
    Listed("Will the reds win the cup?", 10_000, Decimal(0), quoted=False, event=_CUP, title="Reds"),
    Listed("Will the blues win the cup?", 10_000, Decimal(0), quoted=False, event=_CUP, title="Blues"),
    Listed("Will the greens win the cup?", 10_000, Decimal(0), quoted=False, event=_CUP, title="Greens"),
    Listed("Will the comet be seen by eye?", 10_000, Decimal(0), quoted=False, version="v2"),
)


class Lister:
    """Lists markets while the venue runs; nobody quotes them by himself."""

    def __init__(self, bank: Bank, seed: int, now_ms: Callable[[], int]) -> None:
        self._bank = bank
        self._seed = seed
        self._now_ms = now_ms
        self._numbers = count(len(LISTING))

    async def list(self, body: Mapping[str, Any]) -> Market:
        """A market as `body` wants it: `question` at least, and any of `outcomes`, `tick_micros`, `fee_rate`, `delay_ms`,
        `auto_tick`, `version`. Raises `Refusal`."""
        kind, number = _read(body), next(self._numbers)
        (condition,) = await self._bank.prepare([_condition(self._seed, number, kind)])
        return _market(number, kind, condition, self._now_ms() // 1000)


def _read(body: Mapping[str, Any]) -> Listed:
    known = {"question", "outcomes", "tick_micros", "fee_rate", "delay_ms", "auto_tick", "version"}
    for name in body:
        if name not in known:
            raise Refusal(f"{name}: expected one of {', '.join(sorted(known))}")
    question, outcomes = body.get("question"), body.get("outcomes", ["Yes", "No"])
    if not isinstance(question, str) or not question.strip("? "):
        raise Refusal("question: expected a text")
    if not isinstance(outcomes, list) or len(named := [str(one) for one in cast(list[object], outcomes)]) != 2:
        raise Refusal("outcomes: expected two names")
    tick, delay, auto = body.get("tick_micros", 10_000), body.get("delay_ms", 0), body.get("auto_tick", False)
    if tick not in TAKER_DECIMALS:
        raise Refusal(f"tick_micros: expected one of {', '.join(map(str, TAKER_DECIMALS))}")
    if not isinstance(delay, int) or isinstance(delay, bool) or not 0 <= delay <= LONGEST_DELAY_MS:
        raise Refusal(f"delay_ms: expected a whole number from 0 to {LONGEST_DELAY_MS}")
    if not isinstance(auto, bool):
        raise Refusal("auto_tick: expected true or false")
    version = body.get("version", "v1")
    if version not in ("v1", "v2"):
        raise Refusal("version: expected v1 or v2")
    fee = _fee(body.get("fee_rate", "0"))
    return Listed(
        question, tick, fee, (named[0], named[1]), delay_ms=delay, auto_tick=auto, quoted=False, version=version
    )


def _fee(text: object) -> Decimal:
    try:
        fee = Decimal(str(text))
    except InvalidOperation:
        fee = Decimal(-1)
    if not 0 <= fee <= MOST_FEE:
        raise Refusal(f"fee_rate: expected a part from 0 to {MOST_FEE}")
    return fee


async def listed(bank: Bank, seed: int, now_s: int) -> list[Market]:
    """Prepare the conditions and list a market on each; the same seed gives the same tokens."""
    conditions = [_condition(seed, number, kind) for number, kind in enumerate(LISTING)]
    events = dict.fromkeys(_metadata(seed, kind.event) for kind in LISTING if kind.event)
    await bank.prepare(conditions, *events)
    return [
        _market(number, kind, condition, now_s)
        for number, (kind, condition) in enumerate(zip(LISTING, conditions, strict=True))
    ]


def _condition(seed: int, number: int, kind: Listed) -> Condition:
    if kind.event:
        return neg_risk(neg_risk_market_id(_metadata(seed, kind.event)), number - _first_of(number, kind))
    question = keccak(text=f"polycopy venue {seed} {number}")
    return position(question) if kind.version == "v2" else standard(question)


def _metadata(seed: int, event: str) -> bytes:
    return f"polycopy venue {seed} {event}".encode()


def _first_of(number: int, kind: Listed) -> int:
    """The place of the first market of its event; those of one event stand side by side."""
    if not kind.event:
        return number
    return next(place for place, one in enumerate(LISTING) if one.event == kind.event)


def _market(number: int, kind: Listed, condition: Condition, now_s: int) -> Market:
    yes, no = condition.tokens
    return Market(
        condition_id=condition.condition_id,
        question=kind.question,
        slug=_slug(kind.question),
        event_slug=_slug(kind.event or kind.question),
        event_id=str(90_001 + _first_of(number, kind)),
        outcomes=kind.outcomes,
        tokens=(str(yes), str(no)),
        tick_micros=kind.tick_micros,
        min_size_micros=5 * SHARE,
        fee_rate=kind.fee_rate,
        end_at=now_s // DAY_S * DAY_S + 30 * DAY_S,
        neg_risk=bool(kind.event),
        version=kind.version,
        quoted=kind.quoted,
        delay_ms=kind.delay_ms,
        auto_tick=kind.auto_tick,
        created_at=now_s,
        question_id="0x" + condition.question_id.hex(),
        event_title=kind.event or kind.question,
        neg_risk_market_id=condition.market_id,
        group_title=kind.title,
    )


def _slug(question: str) -> str:
    return "-".join(question.lower().rstrip("?").split())
