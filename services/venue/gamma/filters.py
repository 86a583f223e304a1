"""What a list of markets or events is narrowed by: every filter of the official client, honoured or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from services.venue.data.query import Arguments, BadQuery
from services.venue.data.rows import Row
from services.venue.gamma.catalogue import Catalogue, Event, series_of, tags_of
from services.venue.gamma.shapes import Shapes
from services.venue.model import Market

Test = Callable[[Row], bool]

VERSIONS = ("v1", "v2")
# What names single markets and events, of whichever version they are.
MARKETS_NAMES = ("id", "slug", "condition_ids", "question_ids", "clob_token_ids", "position_ids")
EVENTS_NAMES = ("id", "slug")
RESOLUTIONS = ("inactive", "active", "resolved")
UMA = ("proposed", "disputed", "resolved")
RECURRENCES = ("daily", "weekly", "monthly")
MATCHES = ("any", "all")
_UNKNOWN_OF_EVENTS = ("game_id", "parent_event_id", "partner_slug", "event_week", "event_date", "featured_order")


class Filters:
    """Reads a query into the markets or events that it asks for, in its order."""

    def __init__(self, catalogue: Catalogue, shapes: Shapes) -> None:
        self._catalogue = catalogue
        self._shapes = shapes

    def markets(self, arguments: Arguments) -> list[Row]:
        """Rows of markets. Closed ones are left out unless they are asked for (since April 2026)."""
        with_tags = arguments.flag("include_tag", default=False)
        tests = [
            _among(arguments, "id", lambda row: [row["id"]]),
            _among(arguments, "slug", lambda row: [row["slug"]]),
            _among(arguments, "condition_ids", lambda row: [row["conditionId"]]),
            _among(arguments, "question_ids", lambda row: [row["questionID"]]),
            _among(arguments, "market_maker_address", lambda row: [row["marketMakerAddress"]]),
            _among(arguments, "uma_resolution_status", lambda row: [row["umaResolutionStatus"]], of=UMA),
            _among(arguments, "resolution_status", lambda row: [row.get("resolutionStatus", "")], of=RESOLUTIONS),
            _among(arguments, "sports_market_types", lambda row: [row.get("sportsMarketType", "")]),
            _of_version(arguments, MARKETS_NAMES),
            # No market here has any of these.
            *(_among(arguments, name, lambda _: []) for name in ("onchain_event_ids", "request_ids", "game_id")),
            _flag(arguments, "closed", "closed", default=False),
            *(_flag(arguments, name, name) for name in ("active", "archived", "cyom")),
            _flag(arguments, "rfq_enabled", "rfqEnabled"),
            _flag(arguments, "decimalized", "decimalized"),
            *_between(arguments, "volume_num", "volumeNum"),
            *_between(arguments, "liquidity_num", "liquidityNum"),
            _at_least(arguments, "rewards_min_size", "rewardsMinSize"),
            *_when(arguments, "end_date", "endDate"),
            *_when(arguments, "start_date", "startDate"),
        ]
        chosen = filter(_of_ids_and_tags(arguments), self._catalogue.markets())
        rows = [self._shapes.market(one, with_tags=with_tags) for one in chosen]
        return _ordered([row for row in rows if all(test(row) for test in tests)], arguments)

    def events(self, arguments: Arguments) -> list[Row]:
        """Rows of events with their markets."""
        title = arguments.text("title_search").lower()
        for name in ("include_best_lines", "include_chat", "include_template", "include_children"):
            arguments.flag(name, default=False)  # nothing of the kind is there to be included
        tests: list[Test] = [
            _among(arguments, "id", lambda row: [row["id"]]),
            _among(arguments, "slug", lambda row: [row["slug"]]),
            _of_version(arguments, EVENTS_NAMES),
            # No event here has any of these.
            *(_among(arguments, name, lambda _: []) for name in _UNKNOWN_OF_EVENTS),
            _flag(arguments, "closed", "closed", default=False),
            *(_flag(arguments, name, name) for name in ("active", "archived", "cyom", "featured", "live", "ended")),
            *_between(arguments, "volume", "volume"),
            *_between(arguments, "liquidity", "liquidity"),
            *_when(arguments, "end_date", "endDate"),
            *_when(arguments, "start_date", "startDate"),
            *_when(arguments, "start_time", "startTime"),
            lambda row: title in str(row["title"]).lower(),
        ]
        chosen = filter(_of_series_and_tags(arguments), self._catalogue.events())
        rows = [self._shapes.event(one) for one in chosen]
        return _ordered([row for row in rows if all(test(row) for test in tests)], arguments)


def _of_ids_and_tags(arguments: Arguments) -> Callable[[Market], bool]:
    """Whether a market is meant, by what its row does not say: which of its ids are known, and its tags."""
    tokens = arguments.listed("clob_token_ids") if arguments.has("clob_token_ids") else None
    positions = arguments.listed("position_ids") if arguments.has("position_ids") else None
    tagged = _tagged(arguments)

    def meant(market: Market) -> bool:
        is_position, known = market.version == "v2", set(market.tokens) if market.hydrated else set[str]()
        return (
            (tokens is None or (not is_position and bool(tokens & known)))
            and (positions is None or (is_position and bool(positions & known)))
            and tagged(market.event_slug)
        )

    return meant


def _of_series_and_tags(arguments: Arguments) -> Callable[[Event], bool]:
    """Whether an event is meant, by what follows from its slug."""
    recurrence = arguments.word("recurrence", of=RECURRENCES, default="")
    wanted, excluded = arguments.listed("series_id"), arguments.listed("exclude_tag_id")
    slug, tagged = arguments.text("tag_slug"), _tagged(arguments)

    def meant(event: Event) -> bool:
        series, tags = series_of(event.slug), tags_of(event.slug)
        return (
            (not recurrence or (series is not None and series.recurrence == recurrence))
            and (not wanted or (series is not None and series.id in wanted))
            and not any(tag.id in excluded for tag in tags)
            and (not slug or any(tag.slug == slug for tag in tags))
            and tagged(event.slug)
        )

    return meant


def _tagged(arguments: Arguments) -> Callable[[str], bool]:
    """Whether an event of a slug has the tags that are asked for."""
    wanted, match = arguments.listed("tag_id"), arguments.word("tag_match", of=MATCHES, default="any")
    arguments.flag("related_tags", default=False)  # every tag here is related to all others, none is part of another

    def tagged(slug: str) -> bool:
        found = {tag.id for tag in tags_of(slug)}
        return not wanted or (wanted <= found if match == "all" else bool(wanted & found))

    return tagged


def _of_version(arguments: Arguments, names: Sequence[str]) -> Test:
    """The first protocol where nothing is said of it and nothing is asked for by name: the official client documents the one, and
    looks for markets of the second by their names alone."""
    if arguments.has("version") or any(arguments.has(name) for name in names):
        return _among(arguments, "version", lambda row: [row["version"]], of=VERSIONS)
    return lambda row: row["version"] == "v1"


def _among(arguments: Arguments, name: str, values: Callable[[Row], Sequence[str]], of: Iterable[str] = ()) -> Test:
    wanted, allowed = {one.lower() for one in arguments.listed(name)}, set(of)
    if allowed and not wanted <= allowed:
        raise BadQuery(f"{name}: expected one of {', '.join(sorted(allowed))}", name)
    # A filter that is given and empty asks for nothing in particular.
    return lambda row: not wanted or any(str(value).lower() in wanted for value in values(row))


def _flag(arguments: Arguments, name: str, key: str, *, default: bool | None = None) -> Test:
    if not arguments.has(name) and default is None:
        return lambda _: True
    wanted = arguments.flag(name, default=bool(default))
    return lambda row: bool(row.get(key, False)) == wanted


def _between(arguments: Arguments, name: str, key: str) -> list[Test]:
    tests: list[Test] = []
    if arguments.has(f"{name}_min"):
        tests.append(_at_least(arguments, f"{name}_min", key))
    if arguments.has(f"{name}_max"):
        most = arguments.micros(f"{name}_max", default=0) / 1_000_000
        tests.append(lambda row: float(row[key]) <= most)
    return tests


def _at_least(arguments: Arguments, name: str, key: str) -> Test:
    least = arguments.micros(name, default=0) / 1_000_000
    return lambda row: float(row[key]) >= least


def _when(arguments: Arguments, name: str, key: str) -> list[Test]:
    tests: list[Test] = []
    if arguments.has(f"{name}_min"):
        first = _instant(arguments, f"{name}_min")
        tests.append(lambda row: key in row and _read(str(row[key])) >= first)
    if arguments.has(f"{name}_max"):
        last = _instant(arguments, f"{name}_max")
        tests.append(lambda row: key in row and _read(str(row[key])) <= last)
    return tests


def _instant(arguments: Arguments, name: str) -> datetime:
    try:
        return _read(arguments.text(name))
    except ValueError as error:
        raise BadQuery(f"{name}: expected a date", name) from error


def _read(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ordered(rows: list[Row], arguments: Arguments) -> list[Row]:
    """By the fields of `order`, the largest first unless `ascending`."""
    ascending = arguments.flag("ascending", default=False)
    arguments.text("locale")  # every text here is in one language
    names = [one for one in arguments.text("order").split(",") if one]
    for name in names:
        if rows and not isinstance(rows[0].get(_camel(name)), (str, int, float)):
            raise BadQuery(f"order: {name} is no field to order by", "order")
    if not names:
        return rows
    return sorted(rows, key=lambda row: [_key(row, _camel(name)) for name in names], reverse=not ascending)


def _key(row: Row, name: str) -> Any:
    value = row.get(name, "")
    # Ids and amounts are numbers, also where they are written as texts.
    return float(value) if name in ("id", "volume", "liquidity") else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
