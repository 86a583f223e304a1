"""The document says what the server does: every answer, also a refusal, is what its schema describes."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from eth_account import Account
from jsonschema import Draft202012Validator

from services.gateway.contract import SERVICES, openapi
from services.gateway.routes import Route, routes
from tests.gateway_world import World, gateway_world, sign

DOCUMENT = openapi("1.0")


@pytest.fixture
async def world(kept_uri: str, redis_url: str) -> AsyncIterator[World]:
    async with gateway_world(kept_uri, redis_url) as made:
        yield made


def misfits(path: str, verb: str, answer: httpx.Response) -> list[str]:
    """What is in the answer and not in the document, or the other way round."""
    told = DOCUMENT["paths"][path][verb]["responses"].get(str(answer.status_code))
    if told is None:
        return [f"{answer.status_code} is not in the document"]
    schema = told["content"]["application/json"]["schema"] | {"components": closed(DOCUMENT["components"])}
    return [error.message[:300] for error in Draft202012Validator(schema).iter_errors(answer.json())]


def closed(components: dict[str, Any]) -> dict[str, Any]:
    """The schemas, where a field that is not described does not fit."""
    schemas = {
        name: schema if "additionalProperties" in schema else schema | {"additionalProperties": False}
        for name, schema in components["schemas"].items()
    }
    return {"schemas": schemas}


def concrete(route: Route) -> str:
    return route.path.replace("{copy_id}", "c1")


async def test_every_answer_is_as_the_document_says(world: World) -> None:
    admin = await world.headers(world.admin)
    user = await world.headers(Account.create())
    wrong: dict[str, list[str]] = {}
    seen: set[int] = set()
    for route in routes(SERVICES):
        if route.path == "/api/auth/logout":
            continue
        for who in (admin, user, {}):
            for query, body in (({}, {}), ({"nonsense": "1"}, {"nonsense": 1})):
                sent = {"json": body} if route.body else {"params": query}
                answer = await world.http.request(route.verb, concrete(route), headers=who, **sent)  # type: ignore[arg-type]
                seen.add(answer.status_code)
                if found := misfits(route.path, route.verb.lower(), answer):
                    wrong[f"{route.verb} {route.path} {answer.status_code}"] = found

    assert wrong == {}
    assert seen >= {200, 400, 401, 403, 404}


async def test_a_login_is_as_the_document_says(world: World) -> None:
    wallet = Account.create()
    asked = await world.http.post("/api/auth/nonce", json={"address": wallet.address})
    body = {"address": wallet.address, "signature": sign(wallet, asked.json()["data"]["message"])}
    login = await world.http.post("/api/auth/login", json=body)
    out = await world.http.post(
        "/api/auth/logout", headers={"authorization": f"Bearer {login.json()['data']['token']}"}
    )
    large = await world.http.post("/api/auth/nonce", content=b" " * 300_000)

    assert [answer.status_code for answer in (asked, login, out, large)] == [200, 200, 200, 413]
    assert misfits("/api/auth/nonce", "post", asked) == []
    assert misfits("/api/auth/login", "post", login) == []
    assert misfits("/api/auth/logout", "post", out) == []
    assert misfits("/api/auth/nonce", "post", large) == []
