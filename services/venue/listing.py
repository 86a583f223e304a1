"""The markets that a fresh venue lists: seeded names, ticks and fees on conditions that the chain has prepared."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from eth_utils.crypto import keccak

from services.venue.bank import Bank
from services.venue.conditions import Condition, neg_risk, neg_risk_market_id, position, standard
from services.venue.model import Market

SHARE = 1_000_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """What sets a market apart. `event` is the question that the markets of a neg-risk event answer together, `title` this answer;
    an `augmented` one gets answers later, for which it has a `placeholder` each, and one for every `other` answer."""

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
    augmented: bool = False
    placeholder: bool = False
    other: bool = False


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


async def listed(bank: Bank, seed: int, now_s: int) -> list[Market]:
    """Prepare the conditions and list a market on each; the same seed gives the same tokens."""
    conditions = [_condition(seed, number, kind) for number, kind in enumerate(LISTING)]
    events = dict.fromkeys(_metadata(seed, kind.event) for kind in LISTING if kind.event)
    await bank.prepare(conditions, *events)
    return [
        market_on(number, _first_of(number, kind), kind, condition, now_s)
        for number, (kind, condition) in enumerate(zip(LISTING, conditions, strict=True))
    ]


def _condition(seed: int, number: int, kind: Listed) -> Condition:
    if kind.event:
        return neg_risk(neg_risk_market_id(_metadata(seed, kind.event)), number - _first_of(number, kind))
    return condition_of(seed, number, kind.version)


def condition_of(seed: int, number: int, version: str) -> Condition:
    """What a market of its own event is about, the same wherever the seed is the same."""
    question = keccak(text=f"polycopy venue {seed} {number}")
    return position(question) if version == "v2" else standard(question)


def _metadata(seed: int, event: str) -> bytes:
    return f"polycopy venue {seed} {event}".encode()


def _first_of(number: int, kind: Listed) -> int:
    """The place of the first market of its event; those of one event stand side by side."""
    if not kind.event:
        return number
    return next(place for place, one in enumerate(LISTING) if one.event == kind.event)


def market_on(number: int, first: int, kind: Listed, condition: Condition, now_s: int) -> Market:
    """The market of that number on a condition; `first` is the number of the first one of its event."""
    yes, no = condition.tokens
    return Market(
        condition_id=condition.condition_id,
        question=kind.question,
        slug=slug_of(kind.question),
        event_slug=slug_of(kind.event or kind.question),
        event_id=str(90_001 + first),
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
        augmented=kind.augmented,
        other=kind.other,
        active=not kind.placeholder,
        accepting_orders=not kind.placeholder,
    )


def slug_of(question: str) -> str:
    return "-".join(question.lower().rstrip("?").split())
