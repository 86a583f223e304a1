"""How the venue's markets are ordered for readers: events, tags, series, sports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.venue.model import Market

FIRST_MARKET_ID = 5_000_001


@dataclass(frozen=True, slots=True)
class Tag:
    """`words` are those of a slug that make an event one of this tag."""

    id: str
    label: str
    slug: str
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Series:
    """Events that come again; `word` is what their slugs have in common."""

    id: str
    slug: str
    title: str
    recurrence: str
    word: str


@dataclass(frozen=True, slots=True)
class Team:
    id: str
    name: str
    league: str
    abbreviation: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event and its markets, in the order of their listing."""

    id: str
    slug: str
    markets: tuple[Market, ...]

    @property
    def title(self) -> str:
        """A question of its own, where it holds several."""
        return self.markets[0].event_title or self.markets[0].question

    @property
    def closed(self) -> bool:
        return all(market.closed for market in self.markets)

    @property
    def active(self) -> bool:
        return any(market.active for market in self.markets)


ALL = Tag("1", "All", "all")
TAGS = (
    ALL,
    Tag("2", "Politics", "politics", frozenset({"bill", "election", "president", "elected"})),
    Tag("21", "Crypto", "crypto", frozenset({"bitcoin", "ethereum"})),
    Tag("84", "Weather", "weather", frozenset({"rain", "sun"})),
    Tag("100639", "Sports", "sports", frozenset({"side", "game", "match"})),
)
SERIES = (Series("10684", "btc-up-or-down-daily", "Bitcoin Up or Down", "daily", "bitcoin"),)
TEAMS = (
    Team("1", "Home", "local", "hom"),
    Team("2", "Away", "local", "awy"),
)
MARKET_TYPES = ("moneyline", "spreads", "totals")


class Catalogue:
    """Reads the markets as they are now, also those that were listed a moment ago."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self._markets = markets

    def markets(self) -> list[Market]:
        return list(self._markets.values())

    def events(self) -> list[Event]:
        groups: dict[str, list[Market]] = {}
        for market in self._markets.values():
            groups.setdefault(market.event_id, []).append(market)
        return [Event(event_id, group[0].event_slug, tuple(group)) for event_id, group in groups.items()]

    def event_of(self, market: Market) -> Event:
        group = tuple(one for one in self._markets.values() if one.event_id == market.event_id)
        return Event(market.event_id, market.event_slug, group)

    def id_of(self, market: Market) -> str:
        """Gamma's own number of a market."""
        return str(FIRST_MARKET_ID + list(self._markets).index(market.condition_id))


def tags_of(slug: str) -> list[Tag]:
    """An event's tags; every event is one of all."""
    words = set(slug.split("-"))
    return [tag for tag in TAGS if tag is ALL or tag.words & words]


def series_of(slug: str) -> Series | None:
    return next((one for one in SERIES if one.word in slug.split("-")), None)


def is_sport(slug: str) -> bool:
    return any(tag.slug == "sports" for tag in tags_of(slug))


def find_tag(*, tag_id: str = "", slug: str = "") -> Tag | None:
    return next((tag for tag in TAGS if tag_id == tag.id or slug == tag.slug), None)


def related(tag: Tag) -> Iterable[Tag]:
    """Tags beside that one: all others, in their order."""
    return (other for other in TAGS if other is not tag and other is not ALL)
