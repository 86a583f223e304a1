"""REST at the real gateway: who gets in, what answers look like, what is said when something behind it is away."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from eth_account import Account
from openapi_spec_validator import validate
from polycopy.options.v1 import access_pb2

from services.gateway.contract import SERVICES
from services.gateway.routes import Route, routes
from tests.gateway_world import World, gateway_world, running, sign
from tests.patience import PATIENT_S, patiently

STATUS, STOP, START = "/api/trading/status", "/api/trading/stop", "/api/trading/start"


@pytest.fixture
async def world(kept_uri: str, redis_url: str) -> AsyncIterator[World]:
    async with gateway_world(kept_uri, redis_url) as made:
        yield made


async def test_a_signed_message_opens_the_door_and_the_answer_is_the_callers_own(world: World) -> None:
    wallet = Account.create()
    asked = (await world.http.post("/api/auth/nonce", json={"address": wallet.address.lower()})).json()["data"]
    body = {"address": wallet.address, "signature": sign(wallet, asked["message"]), "nonce": asked["nonce"]}
    login = (await world.http.post("/api/auth/login", json=body)).json()["data"]
    headers = {"authorization": f"Bearer {login['token']}"}
    positions = (await world.http.get("/api/positions", headers=headers)).json()

    assert f"Nonce: {asked['nonce']}" in asked["message"]
    assert login["user"] == {"address": wallet.address, "role": "user"}
    assert positions["success"] is True
    assert [row["proxyWallet"] for row in positions["data"]] == [wallet.address.lower()]
    assert positions["data"][0]["size"] == 7.5
    assert positions["data"][0]["asset"] == str(2**200)


async def test_a_message_is_used_once_and_only_by_the_key_it_was_written_for(world: World) -> None:
    wallet, thief = Account.create(), Account.create()
    asked = (await world.http.post("/api/auth/nonce", json={"address": wallet.address})).json()["data"]
    stolen = {"address": wallet.address, "signature": sign(thief, asked["message"])}
    good = {"address": wallet.address, "signature": sign(wallet, asked["message"])}

    answers = [await world.http.post("/api/auth/login", json=body) for body in (stolen, good, good)]

    assert [answer.status_code for answer in answers] == [401, 200, 401]
    assert answers[0].json()["reason"] == "LOGIN_REFUSED"
    assert answers[0].json()["error"] == answers[2].json()["error"]


async def test_logging_out_revokes_every_token(world: World) -> None:
    wallet = Account.create()
    first, second = await world.headers(wallet), await world.headers(wallet)

    out = await world.http.post("/api/auth/logout", headers=first)
    async with asyncio.timeout(PATIENT_S):  # services remember an epoch for five seconds
        for headers in (first, second):
            while (await world.http.get(STATUS, headers=headers)).status_code != 401:  # noqa: ASYNC110
                await asyncio.sleep(1)

    assert out.json()["data"] == {"status": "logged out"}


def concrete(route: Route) -> str:
    return re.sub(r"\{\w+\}", "c1", route.path)


async def test_every_route_lets_in_whom_its_contract_names_and_nobody_else(world: World) -> None:
    user, admin = await world.headers(Account.create()), await world.headers(world.admin)
    roles = {access_pb2.ROLE_ANONYMOUS: 0, access_pb2.ROLE_USER: 1, access_pb2.ROLE_ADMIN: 2}
    found: dict[str, list[bool]] = {}
    for route in routes(SERVICES):
        if route.path == "/api/auth/logout":
            continue
        answers = [
            await world.http.request(route.verb, concrete(route), headers=headers, json={} if route.body else None)
            for headers in ({}, user, admin)
        ]
        needed = roles[route.access.role]
        refused = [
            answer.status_code in {401, 403} and answer.json()["reason"] != "LOGIN_REFUSED" for answer in answers
        ]
        found[f"{route.verb} {route.path}"] = refused
        assert refused == [rank < needed for rank in range(3)], route.path
        if needed:
            assert answers[0].status_code == 401
            assert answers[0].headers["www-authenticate"] == "Bearer"
        if needed == 2:
            assert answers[1].json()["reason"] == "PERMISSION_DENIED"

    assert len(found) == len(routes(SERVICES)) - 1


@pytest.mark.parametrize("token", ["nonsense", "é", "a" * 5000, "eyJhbGciOiJub25lIn0.e30."])
async def test_a_bad_token_is_refused_whatever_is_in_it(world: World, token: str) -> None:
    answer = await world.http.get(STATUS, headers={"authorization": f"Bearer {token}".encode()})

    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")


async def test_what_does_not_fit_is_answered_with_its_name(world: World) -> None:
    admin = await world.headers(world.admin)

    async def post(content: bytes, path: str = STOP) -> httpx.Response:
        return await world.http.post(path, content=content, headers=admin)

    cases = {
        "not JSON": await post(b"{"),
        "not a JSON object": await post(b"[]"),
        "acountId": await post(b'{"acountId": "a"}'),
        "accountId": await post(b'{"accountId": 7}'),
        "limt": await world.http.get("/api/analytics/trades?limt=5", headers=admin),
        "limit: expected 0 to 200": await world.http.get("/api/analytics/trades?limit=201", headers=admin),
        "more than once": await world.http.get("/api/analytics/trades?limit=5&limit=6", headers=admin),
        "takes no body": await world.http.request("GET", STATUS, content=b"{}", headers=admin),
    }
    large = await post(b'{"accountId": "' + b"a" * 300_000 + b'"}')

    for words, answer in cases.items():
        assert answer.status_code == 400, words
        assert words in answer.json()["error"]
    assert large.status_code == 413
    assert world.engine.asked == []


async def test_answers_of_the_services_arrive_as_people_read_them(world: World) -> None:
    user, admin = await world.headers(Account.create()), await world.headers(world.admin)
    trades = (await world.http.get("/api/analytics/trades?limit=7&offset=3", headers=user)).json()["data"]
    explained = (await world.http.get("/api/trades/c9/explain", headers=user)).json()["data"]
    results = (await world.http.post("/api/reconciliation/run", headers=admin)).json()["data"]
    leaders = (await world.http.get("/api/leaders", headers=user)).json()["data"]
    started = (await world.http.post(START, headers=admin, json={"accountId": "a1"})).json()["data"]
    missing = await world.http.get("/api/trades/nope", headers=user)

    assert {name: trades[name] for name in ("count", "offset", "limit")} == {"count": 1, "offset": 3, "limit": 7}
    assert (trades["trades"][0]["state"], trades["trades"][0]["paid"]) == ("EXECUTED", 2.5)
    assert (explained["copy"]["copyId"], explained["verdicts"][0]["observed"]) == ("c9", {"price": "0.61"})
    assert results[0]["resultId"] == "r1"
    assert leaders[0]["cursorBlock"] == 9
    assert started == {"status": "started"}
    assert world.engine.asked == [f"start a1 by {world.admin.address.lower()}"]
    assert (missing.status_code, missing.json()["reason"]) == (404, "NOT_FOUND")


async def test_what_breaks_inside_stays_inside(world: World) -> None:
    world.engine.breaks = True
    answer = await world.http.get(STATUS, headers=await world.headers(Account.create()))

    assert (answer.status_code, answer.json()["error"]) == (500, "Internal server error")
    assert "secret" not in answer.text


async def test_paths_and_verbs_that_are_not_there_wear_the_envelope(world: World) -> None:
    missing, wrong = await world.http.get("/api/nope"), await world.http.delete(STATUS)

    assert (missing.status_code, missing.json()["success"]) == (404, False)
    assert (wrong.status_code, wrong.json()["success"]) == (405, False)
    assert "GET" in wrong.headers["allow"]


async def test_a_budget_that_is_used_up_says_when_to_come_back_and_stop_has_none(world: World) -> None:
    admin = await world.headers(world.admin)
    starts = [await world.http.post(START, headers=admin) for _ in range(6)]
    stops = [await world.http.post(STOP, headers=admin) for _ in range(8)]

    assert [answer.status_code for answer in starts] == [200] * 5 + [429]
    assert 1 <= int(starts[-1].headers["retry-after"]) <= 60
    assert starts[-1].json()["metadata"]["class"] == "admin"
    assert {answer.status_code for answer in stops} == {200}


async def test_a_strangers_log_ins_use_up_his_own_budget_alone(world: World) -> None:
    async def nonce(home: str) -> int:
        body = {"address": "0x" + "1" * 40}
        return (await world.http.post("/api/auth/nonce", json=body, headers={"x-forwarded-for": home})).status_code

    home = world.http.headers["x-forwarded-for"]
    flood = [await nonce(f"{home}1") for _ in range(101)]

    assert (flood[:100], flood[100]) == ([200] * 100, 429)
    assert await nonce(f"{home}2") == 200


async def test_a_flood_of_nonces_does_not_lock_the_owner_out(world: World) -> None:
    wallet = Account.create()
    own = (await world.http.post("/api/auth/nonce", json={"address": wallet.address})).json()["data"]
    for _ in range(8):
        await world.http.post("/api/auth/nonce", json={"address": wallet.address})
    body = {"address": wallet.address, "signature": sign(wallet, own["message"]), "nonce": own["nonce"]}

    assert (await world.http.post("/api/auth/login", json=body)).status_code == 200


async def test_a_service_that_is_away_is_named_and_found_again(world: World) -> None:
    headers = await world.headers(Account.create())
    await world.servers["engine"].stop(0.1)
    unready = await world.until_ready(503)
    away = await world.http.get(STATUS, headers=headers)
    others = await world.http.get("/api/positions", headers=headers)
    live = await world.http.get("/health/live")
    health = (await world.http.get("/health")).json()["data"]

    assert unready.json()["data"]["dependencies"]["engine"] == "away"
    assert unready.json()["error"] == "engine away"
    assert (away.status_code, away.json()["error"]) == (503, "Service unavailable")
    assert (others.status_code, live.status_code, health["status"]) == (200, 200, "degraded")


async def test_a_service_that_says_it_cannot_work_makes_the_gateway_unready(world: World) -> None:
    await world.servers["reconciler"].set_serving(False)
    unready = await world.until_ready(503)
    await world.servers["reconciler"].set_serving(True)

    assert unready.json()["error"] == "reconciler away"
    assert (await world.until_ready()).json()["data"]["status"] == "healthy"


async def test_without_database_and_cache_the_gateway_still_answers(world: World) -> None:
    nowhere = {"mongodb_uri": "mongodb://127.0.0.1:1/?replicaSet=rs0", "redis_url": "redis://127.0.0.1:1/0"}
    kept = world.settings.model_dump(exclude=set(nowhere))
    settings = type(world.settings)(**kept, **nowhere)
    async with (
        running(settings) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENT_S) as http,
    ):
        away = await until_seen(http, "engine")
        nonce = await http.post("/api/auth/nonce", json={"address": "0x" + "1" * 40})
        live = await http.get("/health/live")

    assert away == {"store": "away", "limiter": "away", "engine": "up", "monitor": "up", "reconciler": "up"}
    assert (nonce.status_code, nonce.json()["reason"], live.status_code) == (503, "LIMITER_UNAVAILABLE", 200)


async def until_seen(http: httpx.AsyncClient, name: str) -> dict[str, str]:
    async with asyncio.timeout(PATIENT_S):
        while True:
            found: dict[str, str] = (await http.get("/health")).json()["data"]["dependencies"]
            if found[name] == "up":
                return found
            await asyncio.sleep(0.05)


async def test_the_document_is_valid_and_its_page_needs_no_other_host(world: World) -> None:
    document = (await world.http.get("/openapi.json")).json()
    page = await world.http.get("/api/docs")

    validate(document)
    assert "/api/analytics/trades" in document["paths"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_pages_of_the_configured_origin_may_call_and_no_others(kept_uri: str, redis_url: str) -> None:
    async with gateway_world(kept_uri, redis_url, cors_origin="https://app.example", enable_api_docs=False) as world:
        asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        ours = await world.http.options(STOP, headers=asks | {"origin": "https://app.example"})
        theirs = await world.http.options(STOP, headers=asks | {"origin": "https://evil.example"})
        answer = await world.http.get(STATUS, headers={"origin": "https://app.example"})
        hidden = [(await world.http.get(path)).status_code for path in ("/openapi.json", "/api/docs")]

    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert (theirs.status_code, theirs.headers.get("access-control-allow-origin")) == (400, None)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://app.example")
    assert hidden == [404, 404]


async def test_metrics_count_requests_by_route_and_never_by_path(world: World) -> None:
    await world.http.get("/api/trades/some-id", headers=await world.headers(Account.create()))
    metrics = (await world.http.get("/metrics")).text

    assert 'polycopy_http_requests_total{path="/api/trades/{copy_id}",status="404"}' in metrics
    assert "some-id" not in metrics


async def test_a_process_says_what_is_missing_and_ends_cleanly_when_told(world: World, tmp_path: Any) -> None:
    env = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
    given = {
        "MESH_SECRET": "a secret of the mesh",
        "JWT_SECRET": "0123456789abcdef0123456789abcdef",
        "MONGODB_URI": world.settings.mongodb_uri.get_secret_value(),
        "REDIS_URL": world.settings.redis_url.get_secret_value(),
        "API_PORT": "0",
        "GATEWAY_LISTEN": "127.0.0.1:0",
    }
    command = (sys.executable, "-m", "services.gateway")
    bare = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE)
    _, complaint = await bare.communicate()
    process = await asyncio.create_subprocess_exec(*command, env=env | given, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(PATIENT_S):
        while b"gateway_listening" not in await process.stderr.readline():
            continue
    process.send_signal(signal.SIGTERM)
    await patiently(process.communicate())

    assert bare.returncode == 2
    assert b"MESH_SECRET: required" in complaint
    assert b"MONGODB_URI: required" in complaint
    assert process.returncode == 0
