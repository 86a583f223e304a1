"""The markets that a fresh venue lists: seeded names, ticks and fees on conditions that the chain has prepared."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from eth_utils.crypto import keccak

from services.venue.bank import Bank
from services.venue.model import Market

SHARE = 1_000_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """What sets a market apart."""

    question: str
    tick_micros: int
    fee_rate: Decimal
    outcomes: tuple[str, str] = ("Yes", "No")


LISTING = (
    Listed("Will it rain in Lisbon tomorrow?", 10_000, Decimal(0)),
    Listed("Will the home side win on Sunday?", 10_000, Decimal("0.03")),
    Listed("Bitcoin up or down today?", 1_000, Decimal("0.04"), ("Up", "Down")),
    Listed("Will the bill pass this month?", 10_000, Decimal(0)),
    Listed("Will the launch slip to next year?", 10_000, Decimal(0)),
    Listed("Will the sun rise?", 1_000, Decimal(0)),
)


async def listed(bank: Bank, seed: int, now_s: int) -> list[Market]:
    """Prepare the conditions and list a market on each; the same seed gives the same tokens."""
    questions = [keccak(text=f"polycopy venue {seed} {number}") for number in range(len(LISTING))]
    created = await bank.create_markets(questions)
    return [
        _market(number, kind, condition, (str(yes), str(no)), now_s)
        for number, (kind, (condition, yes, no)) in enumerate(zip(LISTING, created, strict=True))
    ]


def _market(number: int, kind: Listed, condition: str, tokens: tuple[str, str], now_s: int) -> Market:
    slug = "-".join(kind.question.lower().rstrip("?").split())
    return Market(
        condition_id=condition,
        question=kind.question,
        slug=slug,
        event_slug=slug,
        event_id=str(90_001 + number),
        outcomes=kind.outcomes,
        tokens=tokens,
        tick_micros=kind.tick_micros,
        min_size_micros=5 * SHARE,
        fee_rate=kind.fee_rate,
        end_at=now_s // DAY_S * DAY_S + 30 * DAY_S,
    )
