"""`/admin`: the life of the engine, of its accounts and of its markets, by command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import Body, address_of, asked, choice, flag, mapping, number, only
from services.venue.clob.answers import endpoint
from services.venue.engine.modes import Change, Mode
from services.venue.engine.restrictions import Standing
from services.venue.events import MarketNews
from services.venue.exchange import Exchange
from services.venue.faults.registry import Note
from services.venue.lister import Lister, name_placeholder
from services.venue.model import Market, Uma
from services.venue.refusals import Refusal

LONGEST_MS = 7 * 86_400_000
GROWN = ("hydrated", "labelled")
CHANGED = ("condition_id", "delay_ms", "accepting_orders", "auto_tick", "uma", "game_in_ms", "name", *GROWN)


class LifeAdmin:
    """Bodies and answers are JSON objects; what makes no sense is a 400 that names the field. `lister` makes markets."""

    def __init__(self, exchange: Exchange, lister: Lister, now_ms: Callable[[], int], note: Note) -> None:
        self._note = note
        self._exchange = exchange
        self._lister = lister
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        return [
            Route("/admin/mode", endpoint(self.mode)),
            Route("/admin/mode", endpoint(self.change_mode), methods=["POST"]),
            Route("/admin/restrict", endpoint(self.restrict), methods=["POST"]),
            Route("/admin/market", endpoint(self.change_market), methods=["POST"]),
            Route("/admin/markets", endpoint(self.add_market), methods=["POST"]),
            Route("/admin/events", endpoint(self.add_event), methods=["POST"]),
        ]

    async def mode(self, _: Request) -> Any:
        """The mode of now, and the changes to come with the milliseconds until them."""
        modes, now_ms = self._exchange.modes, self._now_ms()
        mode = modes.mode
        coming = [{"after_ms": one.at_ms - now_ms, "mode": str(one.mode)} for one in modes.coming]
        return {"mode": str(mode), "script": coming, "waiting": self._exchange.waiting}

    async def change_mode(self, request: Request) -> Any:
        """`{"mode": …}` from now on, or `{"script": [{"after_ms": …, "mode": …}, …]}`; either replaces the script before it."""
        body, now_ms = await asked(request, "mode", "script"), self._now_ms()
        if ("mode" in body) == ("script" in body):
            raise Refusal("expected either mode or script")
        script = body.get("script", [{"after_ms": 0, "mode": body.get("mode")}])
        if not isinstance(script, list):
            raise Refusal("script: expected a list of changes")
        changes: list[Change] = []
        for one in cast(list[object], script):
            change = mapping(one)
            only(change, ("after_ms", "mode"))
            changes.append(Change(now_ms + _ms(change, "after_ms"), choice(Mode, change, "mode")))
        self._exchange.modes.play(changes)
        return await self.mode(request)

    async def restrict(self, request: Request) -> Any:
        """`{"address": …, "standing": "open" | "closed_only" | "banned"}`."""
        body = await asked(request, "address", "standing")
        address, standing = address_of(body, "address"), choice(Standing, body, "standing")
        self._exchange.restrictions.restrict(address, standing)
        values = {"address": address, "standing": str(standing)}
        self._note("switched", name="restrict", values=values)
        return values

    async def change_market(self, request: Request) -> Any:
        """Any of `delay_ms`, `accepting_orders`, `auto_tick`, `uma`, `game_in_ms` of the market `condition_id`; the `name` of the
        answer that a placeholder was kept for; whether one that was just made is `hydrated` and `labelled`."""
        body = await asked(request, *CHANGED)
        market = self._exchange.markets.get(str(body.get("condition_id")))
        if market is None or market.closed:
            raise Refusal("condition_id: expected a market of this venue that is not resolved")
        uma = choice(Uma, body, "uma") if "uma" in body else market.uma
        if uma is Uma.RESOLVED:
            raise Refusal("uma: markets are resolved by /admin/resolve")
        delay_ms, game_in_ms = _ms(body, "delay_ms", market.delay_ms), _ms(body, "game_in_ms")
        # One that gets its name takes orders from then on, unless it is told not to.
        accepting = flag(body, "accepting_orders", market.accepting_orders or "name" in body)
        auto_tick = flag(body, "auto_tick", market.auto_tick)
        hydrated, labelled = (flag(body, one, getattr(market, one)) for one in GROWN)
        # Whatever is refused is refused by now, but for the name itself: a body is done as a whole or not at all.
        if "name" in body:
            name_placeholder(market, body["name"])
        market.delay_ms, market.accepting_orders, market.auto_tick = delay_ms, accepting, auto_tick
        market.hydrated, market.labelled = hydrated, labelled
        if "name" in body:
            self._exchange.announce(market, MarketNews.LISTED)
        if "game_in_ms" in body:
            self._exchange.life.schedule(market, (self._now_ms() + game_in_ms) // 1000)
        if uma is not market.uma:
            self._exchange.life.propose(market, uma)
        return told(market)

    async def add_market(self, request: Request) -> Any:
        """A new market: `question`, and whatever else a listing says; `hydrate_ms` and `label_ms` until others know of it."""
        body, times = _growing(await asked(request))
        (told_of,) = self._listed([await self._lister.market(body)], *times)
        return told_of

    async def add_event(self, request: Request) -> Any:
        """A new neg-risk event: `title` and `answers`, and whatever else is said of each of its markets."""
        body, times = _growing(await asked(request))
        return {"markets": self._listed(await self._lister.event(body), *times)}

    def _listed(self, markets: Sequence[Market], hydrate_ms: int, label_ms: int) -> list[dict[str, Any]]:
        for market in markets:
            self._exchange.life.grow(market, hydrate_ms, label_ms)
            self._exchange.add_market(market)
        return [told(market) for market in markets]


def told(market: Market) -> dict[str, Any]:
    """What sets a market apart, for a report."""
    return {
        "condition_id": market.condition_id,
        "slug": market.slug,
        "question": market.question,
        "tokens": list(market.tokens),
        "tick_micros": market.tick_micros,
        "neg_risk": market.neg_risk,
        "event_id": market.event_id,
        "active": market.active,
        "hydrated": market.hydrated,
        "labelled": market.labelled,
        "version": market.version,
        "delay_ms": market.delay_ms,
        "auto_tick": market.auto_tick,
        "accepting_orders": market.accepting_orders,
        "closed": market.closed,
        "uma": str(market.uma),
        "game_start_at": market.game_start_at,
        "payouts": list(market.payouts) if market.payouts else None,
    }


def _growing(body: Body) -> tuple[dict[str, Any], tuple[int, int]]:
    """What is said of the market itself, and how long it takes until it is known."""
    times = _ms(body, "hydrate_ms"), _ms(body, "label_ms")
    return {name: value for name, value in body.items() if name not in ("hydrate_ms", "label_ms")}, times


def _ms(body: Body, name: str, default: int = 0) -> int:
    return number(body, name, default, most=LONGEST_MS)
