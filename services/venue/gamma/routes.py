"""Gamma's paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from services.venue.data.query import Arguments, is_address
from services.venue.data.rows import Row
from services.venue.gamma.answers import LISTING, Absent, Handler, deprecated, endpoint, keyset, nowhere, offset
from services.venue.gamma.catalogue import Catalogue, Event, tags_of
from services.venue.gamma.comments import KINDS, Comments
from services.venue.gamma.filters import Filters
from services.venue.gamma.people import People
from services.venue.gamma.shapes import Shapes, tag_row
from services.venue.model import BookView, Market
from services.venue.prices import Prices

Path = Mapping[str, str]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Gamma:
    """Reads the exchange's markets as they are now; `refresh` brings payouts and questions up to date before each answer."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        prices: Prices,
        book: Callable[[str], BookView | None],
        question_of: Callable[[str], str],
        names: Mapping[str, str],
        refresh: Callable[[], Awaitable[None]],
        now_ms: Callable[[], int],
    ) -> None:
        self._catalogue = Catalogue(markets)
        self._shapes = Shapes(self._catalogue, prices, book, question_of, now_ms)
        self._filters = Filters(self._catalogue, self._shapes)
        self._comments = Comments(lambda address: names.get(address, ""), now_ms)
        self._since_s = now_ms() // 1_000
        self._people = People(self._catalogue, self._shapes, self._comments, names, self._since_s)
        self._refresh = refresh

    def mount(self) -> Mount:
        people = self._people
        handlers: dict[str, Handler] = {
            "/markets/slug/{slug}": self.market,
            "/markets/{id}": self.market,
            "/markets/{id}/tags": self.market_tags,
            "/events/slug/{slug}": self.event,
            "/events/{id}": self.event,
            "/events/{id}/tags": self.event_tags,
            "/tags": people.tags,
            "/tags/slug/{slug}": people.tag,
            "/tags/slug/{slug}/related-tags": people.related_tags,
            "/tags/slug/{slug}/related-tags/tags": people.related_tag_resources,
            "/tags/{id}": people.tag,
            "/tags/{id}/related-tags": people.related_tags,
            "/tags/{id}/related-tags/tags": people.related_tag_resources,
            "/series": people.series,
            "/series/{id}": people.one_series,
            "/sports": people.sports,
            "/sports/market-types": people.market_types,
            "/teams": people.teams,
            "/public-profile": people.profile,
            "/comments": people.comments,
            "/comments/keyset": people.comments_keyset,
            "/comments/user_address/{address}": people.comments_by,
            "/comments/{id}": people.comment,
            "/public-search": people.search,
        }
        lists: dict[str, tuple[Handler, Mapping[str, str]]] = {
            "/markets": (self.markets, deprecated("/markets/keyset") | LISTING),
            "/markets/keyset": (self.markets_keyset, LISTING),
            "/events": (self.events, deprecated("/events/keyset") | LISTING),
            "/events/keyset": (self.events_keyset, LISTING),
        }
        routes = [Route(path, endpoint(handler, self._refresh, said)) for path, (handler, said) in lists.items()]
        routes += [Route(path, endpoint(handler, self._refresh)) for path, handler in handlers.items()]
        return Mount("/gamma", routes=[*routes, Route("/{rest:path}", nowhere, methods=METHODS)])

    def admin(self) -> list[Route]:
        return [Route("/admin/gamma/comment", self.say, methods=["POST"])]

    def markets(self, arguments: Arguments, _: Path) -> list[Row]:
        return offset(self._filters.markets(arguments), arguments, lambda row: row)

    def markets_keyset(self, arguments: Arguments, _: Path) -> Row:
        return keyset("markets", self._filters.markets(arguments), arguments, lambda row: row)

    def events(self, arguments: Arguments, _: Path) -> list[Row]:
        return offset(self._filters.events(arguments), arguments, lambda row: row)

    def events_keyset(self, arguments: Arguments, _: Path) -> Row:
        return keyset("events", self._filters.events(arguments), arguments, lambda row: row)

    def market(self, arguments: Arguments, path: Path) -> Row:
        arguments.text("locale")
        return self._shapes.market(self._market(path), with_tags=arguments.flag("include_tag", default=False))

    def market_tags(self, arguments: Arguments, path: Path) -> list[Row]:
        return [tag_row(tag, self._since_s) for tag in tags_of(self._market(path).event_slug)]

    def event(self, arguments: Arguments, path: Path) -> Row:
        for name in ("include_best_lines", "include_chat", "include_template"):
            arguments.flag(name, default=False)
        arguments.text("locale")
        return self._shapes.event(self._event(path))

    def event_tags(self, arguments: Arguments, path: Path) -> list[Row]:
        return [tag_row(tag, self._since_s) for tag in tags_of(self._event(path).slug)]

    async def say(self, request: Request) -> Response:
        """Has a wallet say something about an event, or answer a comment."""
        try:
            body = orjson.loads(await request.body())
            text, user, kind, entity = (str(body[name]) for name in ("body", "user", "entity_type", "entity_id"))
            parent = str(body.get("parent_id", ""))
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            return JSONResponse({"error": "expected body, user, entity_type and entity_id"}, 400)
        if (
            not is_address(user.lower())
            or kind not in KINDS
            or not (entity.isascii() and entity.isdecimal() and len(entity) < 10)
        ):
            return JSONResponse({"error": "user: an address, entity_type: Event or Series, entity_id: a number"}, 400)
        return JSONResponse({"id": self._comments.say(text, kind, entity, user, parent).id})

    def _market(self, path: Path) -> Market:
        for market in self._catalogue.markets():
            if path.get("slug") == market.slug or path.get("id") == self._catalogue.id_of(market):
                return market
        raise Absent

    def _event(self, path: Path) -> Event:
        for event in self._catalogue.events():
            if path.get("slug") == event.slug or path.get("id") == event.id:
                return event
        raise Absent
