"""The REST surface is what the contract says, and a request that does not fit it is refused by the field's name."""

from typing import Any

import pytest
from polycopy.options.v1 import access_pb2
from starlette.datastructures import Headers, QueryParams

from services.gateway.contract import SERVICES, openapi
from services.gateway.credentials import bearer, credentials
from services.gateway.feed import places_of, token_of
from services.gateway.origin import same_or_allowed
from services.gateway.routes import Route, routes, streams
from services.gateway.upstream import BadRequest, request_of
from tools.openapi import TARGET, rendered

ROUTES = {(route.verb, route.path): route for route in routes(SERVICES)}
PROMISED = {
    ("POST", "/api/auth/nonce"): ("ANONYMOUS", "GENERAL"),
    ("POST", "/api/auth/login"): ("ANONYMOUS", "GENERAL"),
    ("POST", "/api/auth/logout"): ("USER", "GENERAL"),
    ("GET", "/api/trading/status"): ("USER", "TRADING"),
    ("POST", "/api/trading/start"): ("ADMIN", "ADMIN"),
    ("POST", "/api/trading/stop"): ("ADMIN", "UNSPECIFIED"),
    ("POST", "/api/pauses"): ("ADMIN", "UNSPECIFIED"),
    ("DELETE", "/api/pauses/{pause_id}"): ("ADMIN", "ADMIN"),
    ("GET", "/api/limits"): ("USER", "GENERAL"),
    ("PUT", "/api/limits"): ("ADMIN", "ADMIN"),
    ("POST", "/api/limits/raises/{raise_id}/confirm"): ("ADMIN", "ADMIN"),
    ("DELETE", "/api/limits/raises/{raise_id}"): ("ADMIN", "ADMIN"),
    ("GET", "/api/reviews"): ("USER", "GENERAL"),
    ("POST", "/api/reviews/{copy_id}/acknowledge"): ("ADMIN", "ADMIN"),
    ("POST", "/api/repetitions/{token_id}/acknowledge"): ("ADMIN", "ADMIN"),
    ("GET", "/api/positions"): ("USER", "GENERAL"),
    ("POST", "/api/positions/close"): ("ADMIN", "ADMIN"),
    ("GET", "/api/analytics/trades"): ("USER", "ANALYTICS"),
    ("GET", "/api/trades/{copy_id}"): ("USER", "ANALYTICS"),
    ("GET", "/api/trades/{copy_id}/explain"): ("USER", "ANALYTICS"),
    ("POST", "/api/reconciliation/run"): ("ADMIN", "ADMIN"),
    ("GET", "/api/reconciliation/results"): ("USER", "ANALYTICS"),
    ("GET", "/api/leaders"): ("USER", "GENERAL"),
    ("GET", "/api/follows"): ("USER", "GENERAL"),
    ("DELETE", "/api/follows/{follow_id}"): ("ADMIN", "ADMIN"),
}


def test_the_routes_their_roles_and_their_budgets_are_those_that_were_promised() -> None:
    found = {
        key: (
            access_pb2.Role.Name(route.access.role).removeprefix("ROLE_"),
            access_pb2.RateClass.Name(route.access.rate_class).removeprefix("RATE_CLASS_"),
        )
        for key, route in ROUTES.items()
    }

    assert found == PROMISED


def test_every_method_of_every_service_says_who_may_call_it() -> None:
    for service in SERVICES:
        for method in service.methods:
            options: Any = method.GetOptions()
            assert options.Extensions[access_pb2.access].role != access_pb2.ROLE_UNSPECIFIED, method.full_name


def test_the_socket_carries_the_three_events() -> None:
    events = {
        field.name for method in streams(SERVICES) for choice in method.output_type.oneofs for field in choice.fields
    }

    assert events == {"trade_executed", "position_updated", "system_status", "resync"}


def route(verb: str, path: str) -> Route:
    return ROUTES[verb, path]


def test_a_request_is_made_of_path_query_and_body() -> None:
    page: Any = request_of(route("GET", "/api/analytics/trades"), {}, {"limit": "20", "offset": "40"}, {})
    login: Any = request_of(route("POST", "/api/auth/login"), {}, {}, {"address": "0x1", "signature": "0x2"})
    copy: Any = request_of(route("GET", "/api/trades/{copy_id}/explain"), {"copy_id": "c1"}, {}, {})

    assert (page.limit, page.offset) == (20, 40)
    assert (login.address, login.signature, login.nonce) == ("0x1", "0x2", "")
    assert copy.copy_id == "c1"


@pytest.mark.parametrize(
    ("key", "query", "body", "field"),
    [
        (("GET", "/api/analytics/trades"), {"limit": "many"}, {}, "limit"),
        (("GET", "/api/analytics/trades"), {"limit": "99999999999"}, {}, "limit"),
        (("GET", "/api/analytics/trades"), {"limt": "5"}, {}, "limt"),
        (("POST", "/api/trading/stop"), {}, {"accountID": "a"}, "accountID"),
        (("POST", "/api/trading/stop"), {}, {"account_id": "a"}, "account_id"),
        (("POST", "/api/trading/stop"), {}, {"accountId": 5}, "accountId"),
        (("POST", "/api/trading/stop"), {}, {"accountId": ["a"]}, "accountId"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(key: Any, query: Any, body: Any, field: str) -> None:
    with pytest.raises(BadRequest, match=rf"^{field}: "):
        request_of(ROUTES[key], {}, query, body)


def test_what_belongs_in_a_body_is_not_taken_from_the_query() -> None:
    with pytest.raises(BadRequest, match="accountId: this request takes no query"):
        request_of(route("POST", "/api/trading/stop"), {}, {"accountId": "a"}, {"accountId": "b"})


def test_a_query_cannot_change_what_the_path_says() -> None:
    with pytest.raises(BadRequest, match="copyId"):
        request_of(route("GET", "/api/trades/{copy_id}"), {"copy_id": "mine"}, {"copyId": "other"}, {})


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("Basic abc", ""),
        ("", ""),
        ("Bearer é", "-"),
        ("Bearer a\nb", "-"),
    ],
)
def test_a_token_that_could_not_travel_is_a_bad_one_and_not_none(header: str, token: str) -> None:
    assert bearer(headers(("authorization", header))) == token


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode("latin-1")) for name, value in pairs])


HEADER, PROTOCOL = ("authorization", "Bearer t"), ("sec-websocket-protocol", "chat, bearer.t")


@pytest.mark.parametrize(
    ("query", "given", "found"),
    [
        ("", (), ("", None)),
        ("token=t", (), ("t", None)),
        ("", (HEADER,), ("t", None)),
        ("", (PROTOCOL,), ("t", "bearer.t")),
        ("token=t", (HEADER, PROTOCOL), ("t", None)),
        ("token=t", (("authorization", "Basic other"),), ("t", None)),
        ("token=u", (HEADER,), ("-", None)),
        ("token=u", (PROTOCOL,), ("-", None)),
        ("token=t&token=u", (), ("-", None)),
        ("", (HEADER, HEADER), ("-", None)),
        ("", (HEADER, ("authorization", "Bearer u")), ("-", None)),
        ("", (HEADER, ("authorization", "Basic u")), ("-", None)),
        ("", (("sec-websocket-protocol", "bearer.t, bearer.u"),), ("-", None)),
        ("", (PROTOCOL, ("sec-websocket-protocol", "bearer.u")), ("-", None)),
    ],
)
def test_a_socket_takes_its_token_from_wherever_it_is_and_takes_no_two(query: str, given: Any, found: Any) -> None:
    assert credentials(QueryParams(query), headers(*given)) == found


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "https://app.example", "host": "api.example"}, True),
        ({"origin": "https://api.example", "host": "api.example"}, True),
        ({"origin": "https://evil.example", "host": "api.example"}, False),
        ({"origin": "null", "host": "api.example"}, False),
        ({"origin": "https://[", "host": "api.example"}, False),
    ],
)
def test_only_pages_of_known_origins_open_streams(headers: dict[str, str], allowed: bool) -> None:
    assert same_or_allowed(headers, ("https://app.example",)) is allowed


def test_a_resume_token_names_a_place_in_every_stream() -> None:
    places = {"a.Watch": "1", "b.Watch": "2"}

    assert places_of(token_of(places)) == places


@pytest.mark.parametrize("token", ["", "nonsense", "é", "WzFd", "x" * 5000])
def test_a_resume_token_that_is_not_ours_starts_now(token: str) -> None:
    assert places_of(token) == {}


def test_the_checked_in_document_is_the_generated_one() -> None:
    assert TARGET.read_bytes() == rendered(), "run: .venv/bin/python -m tools.openapi"


def test_the_document_has_every_route_and_says_what_each_is_for() -> None:
    document = openapi("1.0")
    found = {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}

    pages = {("GET", path) for path in ("/health", "/health/live", "/health/ready", "/api/events")}
    assert found == set(PROMISED) | pages
    assert all(len(operation["summary"]) > 20 for verbs in document["paths"].values() for operation in verbs.values())
