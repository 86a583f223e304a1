"""Markets made while the venue runs: of every kind, alone or as the answers of one event."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import Any, cast

from services.venue.bank import Bank
from services.venue.body import Body, flag, number, only
from services.venue.conditions import neg_risk, neg_risk_market_id
from services.venue.listing import LISTING, Listed, condition_of, market_on, slug_of
from services.venue.model import Market
from services.venue.refusals import TAKER_DECIMALS, Refusal

LONGEST_DELAY_MS = 600_000
MOST_FEE = Decimal("0.1")
MOST_ANSWERS = 100
VERSIONS = ("v1", "v2")
COMMON = frozenset({"tick_micros", "fee_rate", "delay_ms", "auto_tick"})
OF_MARKETS = COMMON | {"question", "outcomes", "version"}
OF_EVENTS = COMMON | {"title", "answers", "placeholders", "other"}


class Lister:
    """Prepares conditions on the chain and describes a market on each; nobody quotes them by himself. Methods raise `Refusal`."""

    def __init__(self, bank: Bank, seed: int, now_ms: Callable[[], int]) -> None:
        self._bank = bank
        self._seed = seed
        self._now_ms = now_ms
        self._numbers = count(len(LISTING))

    async def market(self, body: Body) -> Market:
        """A market of its own: its `question` at least, and any of `outcomes`, `tick_micros`, `fee_rate`, `delay_ms`, `auto_tick`,
        `version`."""
        kind, number = _read_market(body), next(self._numbers)
        (condition,) = await self._bank.prepare([condition_of(self._seed, number, kind.version)])
        return market_on(number, number, kind, condition, self._now_ms() // 1000)

    async def event(self, body: Body) -> list[Market]:
        """The markets of a neg-risk event, of whose `answers` one will be right: its `title`, how many `placeholders` it keeps for
        answers that come later, whether there is a market for any `other` answer, and what is said of each market."""
        kinds = _read_event(body)
        numbers = [next(self._numbers) for _ in kinds]
        metadata = f"polycopy venue {self._seed} event {numbers[0]}".encode()
        market_id = neg_risk_market_id(metadata)
        conditions = await self._bank.prepare([neg_risk(market_id, place) for place in range(len(kinds))], metadata)
        now_s = self._now_ms() // 1000
        return [
            market_on(number, numbers[0], kind, condition, now_s)
            for number, kind, condition in zip(numbers, kinds, conditions, strict=True)
        ]


def name_placeholder(market: Market, name: object) -> None:
    """Give a placeholder the answer that it was kept for: it is traded from now on."""
    if not isinstance(name, str) or not name.strip():
        raise Refusal("name: expected the answer that a placeholder stands for")
    if market.active or not market.augmented:
        raise Refusal("name: expected a market that is a placeholder")
    market.question, market.group_title = _question(market.event_title, name), name
    market.slug = slug_of(market.question)
    market.active = market.accepting_orders = True


def _read_market(body: Body) -> Listed:
    only(body, OF_MARKETS)
    question, outcomes = _text(body, "question"), body.get("outcomes", ["Yes", "No"])
    if not isinstance(outcomes, list) or len(named := [str(one) for one in cast(list[object], outcomes)]) != 2:
        raise Refusal("outcomes: expected two names")
    version = body.get("version", "v1")
    if version not in VERSIONS:
        raise Refusal("version: expected v1 or v2")
    return Listed(question, outcomes=(named[0], named[1]), quoted=False, version=version, **_common(body))


def _read_event(body: Body) -> list[Listed]:
    only(body, OF_EVENTS)
    title, answers, placeholders = _text(body, "title"), body.get("answers"), number(body, "placeholders")
    if not isinstance(answers, list) or not all(isinstance(one, str) and one for one in cast(list[object], answers)):
        raise Refusal("answers: expected a list of texts")
    names = cast(list[str], answers)
    if not 2 <= len(names) + placeholders <= MOST_ANSWERS or len(set(names)) != len(names):
        raise Refusal(f"answers: expected 2 to {MOST_ANSWERS} different ones, placeholders counted")
    other = flag(body, "other")
    common: dict[str, Any] = {
        "quoted": False,
        "event": title,
        "augmented": bool(placeholders or other),
        **_common(body),
    }
    kept = [f"Answer {number}" for number in range(1, placeholders + 1)]
    return [
        *(Listed(_question(title, name), title=name, **common) for name in names),
        *(Listed(_question(title, name), title=name, placeholder=True, **common) for name in kept),
        *(Listed(_question(title, "Other"), title="Other", other=True, **common) for _ in range(other)),
    ]


def _question(title: str, answer: str) -> str:
    return f"{title.rstrip('?')}: {answer}?"


def _common(body: Body) -> dict[str, Any]:
    tick, delay = body.get("tick_micros", 10_000), number(body, "delay_ms", most=LONGEST_DELAY_MS)
    if tick not in TAKER_DECIMALS:
        raise Refusal(f"tick_micros: expected one of {', '.join(map(str, TAKER_DECIMALS))}")
    fee = _fee(body.get("fee_rate", "0"))
    return {"tick_micros": tick, "delay_ms": delay, "auto_tick": flag(body, "auto_tick"), "fee_rate": fee}


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip("? "):
        raise Refusal(f"{name}: expected a text")
    return value


def _fee(text: object) -> Decimal:
    try:
        fee = Decimal(str(text))
    except InvalidOperation:
        fee = Decimal(-1)
    if not 0 <= fee <= MOST_FEE:
        raise Refusal(f"fee_rate: expected a part from 0 to {MOST_FEE}")
    return fee
