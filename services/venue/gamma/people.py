"""Gamma beside markets: tags, series, sports, comments, profiles and the search over all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.venue.data.query import Arguments, BadQuery, is_address
from services.venue.data.rows import Row
from services.venue.gamma.answers import Absent, keyset, offset
from services.venue.gamma.catalogue import (
    MARKET_TYPES,
    SERIES,
    TAGS,
    TEAMS,
    Catalogue,
    Series,
    Tag,
    Team,
    find_tag,
    related,
    series_of,
    tags_of,
)
from services.venue.gamma.comments import KINDS, MOST_OFFSET, Comments
from services.venue.gamma.filters import RECURRENCES
from services.venue.gamma.shapes import Shapes, series_row, tag_row
from services.venue.spelling import stamp

Path = Mapping[str, str]
SORTS = ("volume", "volume_24hr", "liquidity", "start_date", "end_date", "competitive", "closed_time")
STATUSES = ("active", "resolved", "all")
SERIES_MOST = 50


class People:
    """Handlers of everything that is no market and no event. `names` are the traders' by address in lower case."""

    def __init__(
        self, catalogue: Catalogue, shapes: Shapes, comments: Comments, names: Mapping[str, str], since_s: int
    ) -> None:
        self._catalogue = catalogue
        self._shapes = shapes
        self._comments = comments
        self._names = names
        self._since_s = since_s

    def tags(self, arguments: Arguments, _: Path) -> list[Row]:
        _unsorted(arguments)
        carousel = arguments.flag("is_carousel", default=False)
        return offset(() if carousel else TAGS, arguments, self._tag)

    def tag(self, arguments: Arguments, path: Path) -> Row:
        _unsorted(arguments)
        return self._tag(_tag_of(path))

    def related_tags(self, arguments: Arguments, path: Path) -> list[Row]:
        """Numbers of the tags beside one."""
        _related(arguments)
        tag = _tag_of(path)
        return [
            {"id": f"{tag.id}{other.id}", "tagID": int(tag.id), "relatedTagID": int(other.id), "rank": rank}
            for rank, other in enumerate(related(tag), 1)
        ]

    def related_tag_resources(self, arguments: Arguments, path: Path) -> list[Row]:
        _related(arguments)
        return [self._tag(other) for other in related(_tag_of(path))]

    def series(self, arguments: Arguments, _: Path) -> list[Row]:
        _unsorted(arguments)
        slugs, recurrence = arguments.listed("slug"), arguments.word("recurrence", of=RECURRENCES, default="")
        closed, bare = arguments.flag("closed", default=False), arguments.flag("exclude_events", default=False)
        found = [
            one
            for one in SERIES
            if (not slugs or one.slug in slugs) and recurrence in ("", one.recurrence) and not closed
        ]
        return offset(found, arguments, lambda one: self._series(one, with_events=not bare), SERIES_MOST)

    def one_series(self, arguments: Arguments, path: Path) -> Row:
        arguments.text("locale")
        found = next((one for one in SERIES if one.id == path["id"]), None)
        if found is None:
            raise Absent
        return self._series(found, with_events=True)

    def sports(self, arguments: Arguments, _: Path) -> list[Row]:
        return [
            {
                "id": 1,
                "sport": "local",
                "image": "",
                "resolution": "",
                "ordering": "home",
                "tags": "1,100639",
                "series": "",
                "createdAt": stamp(self._since_s),
            }
        ]

    def market_types(self, arguments: Arguments, _: Path) -> Row:
        return {"marketTypes": list(MARKET_TYPES)}

    def teams(self, arguments: Arguments, _: Path) -> list[Row]:
        _unsorted(arguments)
        wanted = {name: arguments.listed(name) for name in ("league", "name", "abbreviation")}
        providers = arguments.listed("provider_id")
        found = [
            one
            for one in TEAMS
            if all(not values or getattr(one, name) in values for name, values in wanted.items()) and not providers
        ]
        return offset(found, arguments, self._team)

    def profile(self, arguments: Arguments, _: Path) -> Row:
        """Who is behind a wallet: the venue's own traders are known."""
        address = arguments.text("address").lower()
        if not is_address(address):
            raise BadQuery("address: expected a wallet's address", "address")
        if address not in self._names:
            raise Absent
        return self._profile(address)

    def comments(self, arguments: Arguments, _: Path) -> list[Row]:
        """The newest first, unless something else is asked for."""
        arguments.flag("get_positions", default=False)  # nobody shows what he holds
        holders = arguments.flag("holders_only", default=False)
        found = self._on(arguments)
        ascending = arguments.flag("ascending", default=bool(arguments.text("order")))
        if arguments.number("offset", default=0) > MOST_OFFSET:
            raise BadQuery(f"offset: at most {MOST_OFFSET}", "offset")
        ordered = found if arguments.text("order") and ascending else found[::-1]
        return offset([] if holders else ordered, arguments, self._comments.write)

    def comments_keyset(self, arguments: Arguments, _: Path) -> Row:
        """The oldest first, unless something else is asked for."""
        found = self._on(arguments)
        if arguments.text("order", default="createdAt") not in ("id", "createdAt"):
            raise BadQuery("order: expected id or createdAt", "order")
        ordered = found if arguments.flag("ascending", default=True) else found[::-1]
        return keyset("comments", ordered, arguments, self._comments.write)

    def comment(self, arguments: Arguments, path: Path) -> list[Row]:
        arguments.flag("get_positions", default=False)
        return [self._comments.write(one) for one in self._comments.thread(path["id"])]

    def comments_by(self, arguments: Arguments, path: Path) -> list[Row]:
        arguments.text("order")
        found = self._comments.by(path["address"])
        return offset(
            found if arguments.flag("ascending", default=False) else found[::-1], arguments, self._comments.write
        )

    def search(self, arguments: Arguments, _: Path) -> Row:
        """Events, tags and profiles whose names have the words of `q`."""
        words = arguments.text("q").lower().split()
        if not words:
            raise BadQuery("q: expected a text", "q")
        page, limit = arguments.number("page", default=1), arguments.number("limit_per_type", default=5)
        start = (max(page, 1) - 1) * limit
        found = {
            "events": self._found_events(arguments, words),
            "tags": self._found_tags(arguments, words),
            "profiles": self._found_profiles(arguments, words),
        }
        for name in ("cache", "optimized", "ascending"):
            arguments.flag(name, default=False)  # neither changes what is found
        arguments.text("locale")
        pages: Row = {name: rows[start : start + limit] for name, rows in found.items()}
        more = any(len(rows) > start + limit for rows in found.values())
        total = sum(len(rows) for rows in found.values())
        return pages | {"pagination": {"hasMore": more, "totalResults": total}}

    def _found_events(self, arguments: Arguments, words: list[str]) -> list[Row]:
        status = arguments.word("events_status", of=STATUSES, default="all")
        tags, excluded = arguments.listed("events_tag"), arguments.listed("exclude_tag_id")
        series = arguments.word("recurrence", of=RECURRENCES, default="")
        keep_closed = arguments.number("keep_closed_markets", default=1)
        sort, presets = arguments.word("sort", of=SORTS, default="volume"), arguments.listed("presets")
        if presets:
            raise BadQuery("presets: there are none", "presets")
        rows: list[Row] = []
        for event in self._catalogue.events():
            texts = " ".join([event.title, *(market.question for market in event.markets)]).lower()
            found = series_of(event.slug)
            has = {tag.slug for tag in tags_of(event.slug)}
            if (
                all(word in texts for word in words)
                and (status == "all" or event.closed == (status == "resolved"))
                and (not tags or tags & has)
                and not any(tag.id in excluded for tag in tags_of(event.slug))
                and (not series or (found is not None and found.recurrence == series))
            ):
                row = self._shapes.event(event)
                if not keep_closed:
                    row["markets"] = [one for one in row["markets"] if not one["closed"]]
                rows.append(row)
        rows.sort(
            key=lambda row: row.get(_SORT_FIELDS[sort], ""), reverse=not arguments.flag("ascending", default=False)
        )
        return rows

    def _found_tags(self, arguments: Arguments, words: list[str]) -> list[Row]:
        wanted = arguments.flag("search_tags", default=True)
        counts = [tag.id for event in self._catalogue.events() for tag in tags_of(event.slug)]
        return [
            {"id": tag.id, "label": tag.label, "slug": tag.slug, "event_count": counts.count(tag.id)}
            for tag in TAGS
            if wanted and all(word in tag.label.lower() for word in words)
        ]

    def _found_profiles(self, arguments: Arguments, words: list[str]) -> list[Row]:
        wanted = arguments.flag("search_profiles", default=False)
        return [
            self._profile(address) | {"id": str(number)}
            for number, (address, name) in enumerate(self._names.items(), 1)
            if wanted and all(word in name.lower() for word in words)
        ]

    def _on(self, arguments: Arguments) -> list[Any]:
        kind, entity = arguments.text("parent_entity_type"), arguments.text("parent_entity_id")
        if kind not in KINDS:
            raise BadQuery(f"parent_entity_type: expected one of {', '.join(KINDS)}", "parent_entity_type")
        return self._comments.on(kind, entity)

    def _tag(self, tag: Tag) -> Row:
        return tag_row(tag, self._since_s)

    def _series(self, series: Series, *, with_events: bool) -> Row:
        events = [one for one in self._catalogue.events() if series_of(one.slug) == series]
        shown = {"events": [self._shapes.event_head(one) for one in events]} if with_events else {}
        return series_row(series, self._since_s) | shown

    def _team(self, team: Team) -> Row:
        return {
            "id": int(team.id),
            "name": team.name,
            "league": team.league,
            "abbreviation": team.abbreviation,
            "alias": team.name,
            "record": "0-0",
            "logo": "",
            "createdAt": stamp(self._since_s),
        }

    def _profile(self, address: str) -> Row:
        name = self._names[address]
        return {
            "createdAt": stamp(self._since_s),
            "proxyWallet": address,
            "profileImage": "",
            "displayUsernamePublic": True,
            "bio": "",
            "pseudonym": name.title(),
            "name": name,
            "users": [{"id": "1", "creator": False, "mod": False}],
            "xUsername": "",
            "verifiedBadge": False,
        }


_SORT_FIELDS = {
    "volume": "volume",
    "volume_24hr": "volume24hr",
    "liquidity": "liquidity",
    "start_date": "startDate",
    "end_date": "endDate",
    "competitive": "competitive",
    "closed_time": "closedTime",
}


def _tag_of(path: Path) -> Tag:
    tag = find_tag(tag_id=path.get("id", ""), slug=path.get("slug", ""))
    if tag is None:
        raise Absent
    return tag


def _unsorted(arguments: Arguments) -> None:
    """Short lists that have one order only, and one language."""
    for name in ("ascending", "include_template"):
        arguments.flag(name, default=False)
    for name in ("locale", "order"):
        arguments.text(name)


def _related(arguments: Arguments) -> None:
    arguments.flag("omit_empty", default=False)
    arguments.word("status", of=("active", "closed", "all"), default="all")
    arguments.text("locale")
