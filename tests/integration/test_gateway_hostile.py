"""Requests that mean harm: each gets an answer in the envelope, costs little, and learns nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from eth_account import Account
from websockets.asyncio.client import connect

from services.gateway import patience, rest
from tests.gateway_world import World, gateway_world
from tests.patience import PATIENT_S

STATUS, STOP, POSITIONS = "/api/trading/status", "/api/trading/stop", "/api/positions"


@pytest.fixture
async def world(kept_uri: str, redis_url: str) -> AsyncIterator[World]:
    async with gateway_world(kept_uri, redis_url) as made:
        yield made


async def test_an_address_that_is_none_is_nobody_in_particular_and_breaks_nothing(world: World) -> None:
    headers = await world.headers(Account.create())
    answers = [
        await world.http.get(POSITIONS, headers=headers | {"x-forwarded-for": came})  # type: ignore[arg-type, operator]
        for came in ("é".encode(), b"a" * 20_000, b"a b", b"1.2.3.4")
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]


@pytest.mark.parametrize("length", [100, 10_000, 60_000])
async def test_a_name_of_any_length_is_just_not_found(world: World, length: int) -> None:
    answer = await world.http.get("/api/trades/" + "a" * length, headers=await world.headers(Account.create()))

    assert (answer.status_code, answer.json()["reason"]) == (404, "NOT_FOUND")
    assert len(answer.json()["metadata"]["id"]) <= 100


async def test_an_answer_too_large_to_send_is_our_fault_and_not_the_callers(world: World) -> None:
    world.engine.version = "v" * 2_000_000
    headers = await world.headers(Account.create())
    answer = await world.http.get(STATUS, headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (500, "Internal server error")
    assert "1048576" not in answer.text


async def test_what_breaks_in_the_gateway_itself_wears_the_envelope_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> str:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(rest, "client", broken)
    answer = await world.http.get(STATUS)

    assert (answer.status_code, answer.json()["error"]) == (500, "Internal server error")
    assert answer.json()["success"] is False
    assert "secret" not in answer.text


async def test_a_slash_too_many_leads_nowhere(world: World) -> None:
    answer = await world.http.get(POSITIONS + "/", headers={"host": "evil.example"})

    assert (answer.status_code, answer.json()["success"]) == (404, False)
    assert "location" not in answer.headers


async def test_a_query_of_thousands_of_names_costs_no_more_than_reading_it(world: World) -> None:
    class Counted(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    pairs = [(Counted(f"n{number}"), "") for number in range(2_000)]
    rest.once(pairs)

    assert Counted.compared < 20_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"accountId": "a", "accountId": "b"}', "accountId: given more than once"),
        ('{"accountId": "a", "account\\u0049d": "b"}', "accountId: given more than once"),
        ('{"accountId": NaN}', "not JSON"),
        ('{"accountId": Infinity}', "not JSON"),
        ('{"accountId": 1e999}', ""),
        ('{"accountId": ' + "9" * 10_000 + "}", ""),
        ('{"accountId": ' + "[" * 500 + "]" * 500 + "}", "accountId"),
        ('{"accountId": ' + '{"a":' * 900 + "1" + "}" * 900 + "}", "accountId"),
        ('{"accountId": ' + "[" * 100_000 + "]" * 100_000 + "}", "not JSON"),
        ('{"accountId": "\\ud800"}', "not JSON"),
        ("{'accountId': 'a'}", "not JSON"),
        ('{"accountId": "a"} {}', "not JSON"),
        ('\ufeff{"accountId": "a"}', "not JSON"),
        ('{"accountId": true}', "accountId"),
        ('{"accountId": ["a"]}', "accountId"),
        ('{"__proto__": {}}', "__proto__"),
        ("null", "not a JSON object"),
    ],
)
async def test_a_body_that_readers_disagree_about_does_nothing(world: World, body: str, words: str) -> None:
    admin = await world.headers(world.admin)
    answer = await world.http.post(STOP, content=body.encode(), headers=admin)

    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_ARGUMENT")
    assert words in answer.json()["error"]
    assert world.engine.asked == []


async def test_a_query_beside_a_body_is_refused(world: World) -> None:
    admin = await world.headers(world.admin)
    answer = await world.http.post(f"{STOP}?accountId=b", json={"accountId": "a"}, headers=admin)

    assert answer.status_code == 400
    assert world.engine.asked == []


async def test_a_body_that_never_comes_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "BODY_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(f"POST {STOP} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{{".encode())
    async with asyncio.timeout(PATIENT_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()

    assert head.startswith("HTTP/1.1 400")


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        (b"", b""),
        (b"", b"GET / HT"),
        (b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n", b"GET / HTTP/1.1\r\nhost:"),
    ],
    ids=["nothing", "half a line", "a second request"],
)
async def test_a_request_that_never_ends_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, before: bytes, sent: bytes
) -> None:
    monkeypatch.setattr(patience, "HEADERS_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    async with asyncio.timeout(PATIENT_S):
        if before:
            writer.write(before)
            assert b"200" in await reader.readuntil(b"}")
        writer.write(sent)
        await reader.read()
    writer.close()


async def test_a_connection_that_asks_now_and_then_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADERS_S", 0.2)
    async with connect(f"ws://127.0.0.1:{world.port}/ws?token={await world.token(world.admin)}", proxy=None) as socket:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        for _ in range(3):
            writer.write(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n")
            async with asyncio.timeout(PATIENT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
            await asyncio.sleep(0.4)
        writer.close()
        await (await socket.ping())

    assert head.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("limit", ["201", "-1", "2147483648", "9" * 5_000, "1.5", "0x5", " 5", "null", "٣x"])
async def test_a_page_has_bounds(world: World, limit: str) -> None:
    headers = await world.headers(Account.create())
    answer = await world.http.get("/api/analytics/trades", params={"limit": limit}, headers=headers)

    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_ARGUMENT")


async def refused(call: Callable[[], Any]) -> httpx.Response | None:
    with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        answer: httpx.Response = await call()
        return answer
    return None


async def test_a_header_without_end_is_cut_off(world: World) -> None:
    answer = await refused(lambda: world.http.get(STATUS, headers={"x-padding": "a" * 200_000}))

    assert answer is None or answer.status_code in {400, 431}
    assert (await world.http.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("DELETE", STATUS, {"GET", "HEAD"}),
        ("GET", STOP, {"POST"}),
        ("OPTIONS", POSITIONS, {"GET", "HEAD"}),
        ("TRACE", POSITIONS, {"GET", "HEAD"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("POST", "/api/events", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_verb_is_told_the_right_ones(world: World, verb: str, path: str, allowed: set[str]) -> None:
    answer = await world.http.request(verb, path)

    assert (answer.status_code, answer.json()["success"]) == (405, False)
    assert {part.strip() for part in answer.headers["allow"].split(",")} == allowed


async def test_a_hostile_request_id_is_replaced(world: World) -> None:
    given = [
        (await world.http.get("/health/live", headers={"x-request-id": name})).headers["x-request-id"]
        for name in ("good-one_1", "a" * 65, "a b", '"}{')
    ]

    assert given[0] == "good-one_1"
    assert all(len(name) == 16 for name in given[1:])


async def test_what_a_request_is_called_reaches_the_log_of_the_service_behind(world: World) -> None:
    headers = await world.headers(Account.create())
    given = await world.http.get(STATUS, headers=headers | {"x-request-id": "mine-1"})
    made = await world.http.get(STATUS, headers=headers)

    assert world.engine.named == ["mine-1", made.headers["x-request-id"]]
    assert given.headers["x-request-id"] == "mine-1"
