"""Tokens that must open nothing, at every door: REST, WebSocket, event stream and gRPC, under a secret and under a key pair."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from eth_account import Account
from grpc import aio
from polycopy.engine.v1 import engine_pb2, engine_pb2_grpc
from polycopy.gateway.v1 import auth_pb2, auth_pb2_grpc
from polycopy.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from polycopy.reconciler.v1 import reconciler_pb2, reconciler_pb2_grpc
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.cli.child import free_port
from services.common.assembly import keys_of
from services.common.tokens import Keys
from tests.edge_world import private_pem
from tests.gateway_world import World, gateway_world
from tests.patience import PATIENT_S

pytestmark = pytest.mark.xdist_group("gateway tokens")

SECRET = "0123456789abcdef0123456789abcdef"
STRANGER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(params=["HS256", "ES256"])
async def world(request: pytest.FixtureRequest, kept_uri: str, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "1.pem").write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1())))
    own: dict[str, Any] = {"jwt_secret": SECRET, "gateway_listen": f"127.0.0.1:{free_port()}"}
    if request.param == "ES256":
        own |= {"jwt_secret": None, "jwt_keys_dir": tmp_path}
    async with gateway_world(kept_uri, redis_url, **own) as made:
        yield made


class Forge:
    """Changes a good token of a user in one way at a time."""

    def __init__(self, held: Keys, good: str) -> None:
        self.held, self.good = held, good
        self.claims: dict[str, Any] = jwt.decode(good, options={"verify_signature": False})
        self.header: dict[str, Any] = {"typ": "at+jwt", "kid": held.signing_id}
        self.head, self.body, self.signature = good.split(".")

    def signed(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """With our own key: only what it says is wrong."""
        kept = {name: value for name, value in claims.items() if value is not ...}
        return written(kept, self.held.signing, self.held.algorithm, self.header | (header or {}))

    def claiming(self, **changes: Any) -> str:
        return self.signed(self.claims | changes)

    def headed(self, **changes: Any) -> str:
        return self.signed(self.claims, changes)

    def by(self, key: Any, algorithm: str, **header: Any) -> str:
        return written(self.claims, key, algorithm, self.header | header)

    def unsigned(self, algorithm: str, signature: str = "") -> str:
        head = part({**self.header, "alg": algorithm})
        return f"{head}.{self.body}.{signature}"

    def with_body(self, **changes: Any) -> str:
        """The old signature under other claims."""
        return f"{self.head}.{part(self.claims | changes)}.{self.signature}"


def written(claims: Any, key: Any, algorithm: str, header: dict[str, Any]) -> str:
    # One level below the library's own encoder, which refuses to write some of what is wrong here.
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm, header)


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def flipped(text: str, at: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spot = at % len(text)
    return text[:spot] + letters[letters.index(text[spot]) ^ 1] + text[spot + 1 :]


def public_pem(held: Keys) -> bytes:
    if held.algorithm == "ES256":
        return bytes(held.verifying[held.signing_id])
    return STRANGER.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hmac_by(key: bytes, forge: Forge) -> str:
    """Signed with a public key as if it were a secret, which the library itself refuses to do."""
    head = part({**forge.header, "alg": "HS256"})
    mac = hmac.new(key, f"{head}.{forge.body}".encode(), hashlib.sha256).digest()
    return f"{head}.{forge.body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


NOW = time.time
ATTACKS: dict[str, Callable[[Forge], str]] = {
    "alg none": lambda f: f.unsigned("none"),
    "alg None": lambda f: f.unsigned("None"),
    "alg NONE": lambda f: f.unsigned("NONE"),
    "alg nOnE": lambda f: f.unsigned("nOnE"),
    "alg none with the signature": lambda f: f.unsigned("none", f.signature),
    "alg empty": lambda f: f.unsigned("", f.signature),
    "alg null": lambda f: f"{part({**f.header, 'alg': None})}.{f.body}.{f.signature}",
    "alg a list": lambda f: f"{part({**f.header, 'alg': [f.held.algorithm]})}.{f.body}.{f.signature}",
    "alg missing": lambda f: f"{part({'typ': 'at+jwt', 'kid': f.held.signing_id})}.{f.body}.{f.signature}",
    "alg in lower case": lambda f: f.unsigned(f.held.algorithm.lower(), f.signature),
    "HS256 by the public key": lambda f: hmac_by(public_pem(f.held), f),
    "HS256 by an empty secret": lambda f: hmac_by(b"", f),
    "HS256 by a guess": lambda f: f.by("guessguessguessguessguessguessguess", "HS256"),
    "HS384 by a guess": lambda f: f.by("guess" * 12, "HS384"),
    "HS512 by our secret": lambda f: f.by(SECRET * 2, "HS512"),
    "ES256 by a stranger": lambda f: f.by(STRANGER, "ES256"),
    "ES256 by a stranger with his key": lambda f: f.by(
        STRANGER, "ES256", jwk=json.loads(jwt.algorithms.ECAlgorithm.to_jwk(STRANGER.public_key()))
    ),
    "ES256 with zeroes": lambda f: f"{f.head}.{f.body}.{base64.urlsafe_b64encode(bytes(64)).rstrip(b'=').decode()}",
    "no signature": lambda f: f"{f.head}.{f.body}.",
    "no last part": lambda f: f"{f.head}.{f.body}",
    "a part too many": lambda f: f"{f.good}.{f.signature}",
    "first bit of the signature": lambda f: f"{f.head}.{f.body}.{flipped(f.signature, 0)}",
    "middle bit of the signature": lambda f: f"{f.head}.{f.body}.{flipped(f.signature, 20)}",
    "last bit of the signature": lambda f: f"{f.head}.{f.body}.{flipped(f.signature, -1)}",
    "a bit of the claims": lambda f: f"{f.head}.{flipped(f.body, 30)}.{f.signature}",
    "a bit of the header": lambda f: f"{flipped(f.head, 5)}.{f.body}.{f.signature}",
    "half the signature": lambda f: f"{f.head}.{f.body}.{f.signature[: len(f.signature) // 2]}",
    "padding": lambda f: f.good + "=",
    "two of padding": lambda f: f.good + "==",
    "a foreign character": lambda f: f.good[:-4] + "!" + f.good[-4:],
    "a letter more": lambda f: f.good + "A",
    "a dot before": lambda f: "." + f.good,
    "the other alphabet": lambda f: f"{f.head}.{f.body}.+{f.signature[1:]}",
    "expired": lambda f: f.claiming(exp=int(NOW()) - 31),
    "expired long ago": lambda f: f.claiming(iat=1, nbf=1, exp=86_401),
    "expires never": lambda f: f.claiming(exp=...),
    "expires at no number": lambda f: f.claiming(exp="never"),
    "expires at infinity": lambda f: f.claiming(exp=float("inf")),
    "not yet": lambda f: f.claiming(nbf=int(NOW()) + 40),
    "issued in the future": lambda f: f.claiming(iat=int(NOW()) + 40),
    "issued at no number": lambda f: f.claiming(iat="now"),
    "issued never": lambda f: f.claiming(iat=...),
    "no nbf": lambda f: f.claiming(nbf=...),
    "another issuer": lambda f: f.claiming(iss="evil"),
    "several issuers": lambda f: f.claiming(iss=["polycopy"]),
    "no issuer": lambda f: f.claiming(iss=...),
    "another audience": lambda f: f.claiming(aud="ws"),
    "other audiences": lambda f: f.claiming(aud=["ws", "evil"]),
    "no audience": lambda f: f.claiming(aud=...),
    "an empty audience": lambda f: f.claiming(aud=[]),
    "no subject": lambda f: f.claiming(sub=...),
    "another subject": lambda f: f.claiming(sub="0x" + "1" * 40),
    "another address": lambda f: f.claiming(address="0x" + "1" * 40),
    "someone else altogether": lambda f: f.claiming(sub="0x" + "1" * 40, address="0x" + "1" * 40),
    "an address in other letters": lambda f: f.claiming(sub=f.claims["sub"].upper(), address=f.claims["sub"].upper()),
    "a subject that is an object": lambda f: f.claiming(sub={"$ne": ""}, address={"$ne": ""}),
    "no jti": lambda f: f.claiming(jti=...),
    "a jti that is a number": lambda f: f.claiming(jti=1),
    "role raised, signed": lambda f: f.claiming(role="admin"),
    "role raised, not signed": lambda f: f.with_body(role="admin"),
    "roles": lambda f: f.claiming(role=["admin"]),
    "no role": lambda f: f.claiming(role=...),
    "a role of ours that is none": lambda f: f.claiming(role="ops"),
    "an earlier epoch": lambda f: f.claiming(epoch=f.claims["epoch"] - 1),
    "a later epoch": lambda f: f.claiming(epoch=f.claims["epoch"] + 1),
    "an epoch that is true": lambda f: f.claiming(epoch=True),
    "an epoch in letters": lambda f: f.claiming(epoch=str(f.claims["epoch"])),
    "no epoch": lambda f: f.claiming(epoch=...),
    "an unknown kid": lambda f: f.headed(kid="other"),
    "a kid that is a path": lambda f: f.headed(kid="../../../dev/null"),
    "a kid that is an injection": lambda f: f.headed(kid="' or 1=1 --"),
    "an empty kid": lambda f: f.headed(kid=""),
    "a kid that is a list": lambda f: (
        f"{part({**f.header, 'alg': f.held.algorithm, 'kid': ['secret']})}.{f.body}.{f.signature}"
    ),
    "another type": lambda f: f.headed(typ="JWT"),
    "no type": lambda f: f.headed(typ=None),
    "a critical header": lambda f: f.headed(crit=["x"], x=1),
    "a body that is not base64": lambda f: f.headed(b64=False, crit=["b64"]),
    "claims that are a list": lambda f: f"{f.head}.{part([f.claims])}.{f.signature}",
    "a header that nests": lambda f: (
        f"{base64.urlsafe_b64encode(b'[' * 2_000).rstrip(b'=').decode()}.{f.body}.{f.signature}"
    ),
    "a key by address": lambda f: f.by(STRANGER, "ES256", jku="http://127.0.0.1:1/keys", x5u="http://127.0.0.1:1/x"),
    "a quoted token": lambda f: f'"{f.good}"',
    "a token and another": lambda f: f"{f.good},{f.good}",
    "too long": lambda f: f.good + "A" * 4_096,
    "null": lambda _: "null",
    "undefined": lambda _: "undefined",
}


async def rest(world: World, token: str) -> str:
    answer = await world.http.get("/api/positions", headers={"authorization": f"Bearer {token}"})
    return f"{answer.status_code} {answer.json().get('reason')}"


async def events(world: World, token: str) -> str:
    async with world.http.stream("GET", "/api/events", headers={"authorization": f"Bearer {token}"}) as answer:
        if answer.status_code == 200:
            return "200 None"
        return f"{answer.status_code} {json.loads(await answer.aread()).get('reason')}"


async def socket(world: World, token: str) -> str:
    try:
        async with connect(f"ws://127.0.0.1:{world.port}/ws?token={quote(token, safe='')}", proxy=None):
            return "200 None"
    except InvalidStatus as error:
        return f"{error.response.status_code} {json.loads(error.response.body or b'')['reason']}"


def methods(world: World) -> dict[str, tuple[int, Any, str, Any]]:
    """One method of each service that a user may call."""
    own = int(world.settings.gateway_listen.rpartition(":")[2])
    return {
        "engine": (
            world.servers["engine"].port,
            engine_pb2_grpc.EngineServiceStub,
            "GetTradingStatus",
            engine_pb2.GetTradingStatusRequest(),
        ),
        "monitor": (
            world.servers["monitor"].port,
            monitor_pb2_grpc.MonitorServiceStub,
            "ListLeaders",
            monitor_pb2.ListLeadersRequest(),
        ),
        "reconciler": (
            world.servers["reconciler"].port,
            reconciler_pb2_grpc.ReconcilerServiceStub,
            "ListPositions",
            reconciler_pb2.ListPositionsRequest(),
        ),
        "auth": (own, auth_pb2_grpc.AuthServiceStub, "Logout", auth_pb2.LogoutRequest()),
    }


async def grpc_codes(world: World, token: str, *, leaving_out: frozenset[str] = frozenset()) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, (port, stub, method, request) in methods(world).items():
        if name in leaving_out:
            continue
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                call = getattr(stub(channel), method)
                await call(request, metadata=(("authorization", f"Bearer {token}"),), timeout=PATIENT_S)
                found[name] = "OK"
            except aio.AioRpcError as error:
                found[name] = error.code().name
    return found


async def test_no_token_but_the_good_one_opens_any_door(world: World) -> None:
    forge = Forge(keys_of(world.settings), await world.token(Account.create()))
    let_in: dict[str, Any] = {}
    for name, attack in ATTACKS.items():
        token = attack(forge)
        assert token != forge.good, name
        http = {"REST": await rest(world, token), "socket": await socket(world, token)}
        http |= {"events": await events(world, token)}
        calls = await grpc_codes(world, token)
        if set(http.values()) != {"401 UNAUTHENTICATED"} or set(calls.values()) != {"UNAUTHENTICATED"}:
            let_in[name] = http | calls

    assert let_in == {}
    assert len(ATTACKS) >= 60
    assert await rest(world, forge.good) == await socket(world, forge.good) == "200 None"
    assert await events(world, forge.good) == "200 None"
    assert set((await grpc_codes(world, forge.good, leaving_out=frozenset({"auth"}))).values()) == {"OK"}


async def test_after_logging_out_a_token_controls_nothing_from_that_moment_on(world: World) -> None:
    headers = await world.headers(world.admin)
    before = await world.http.post("/api/trading/stop", headers=headers)
    await world.http.post("/api/auth/logout", headers=headers)
    after = await world.http.post("/api/trading/stop", headers=headers)
    again = await world.http.post("/api/trading/stop", headers=await world.headers(world.admin))

    assert [before.status_code, after.status_code, again.status_code] == [200, 401, 200]
    assert len(world.engine.asked) == 2


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good"), ("good", "good")])
async def test_two_authorization_headers_are_none(world: World, order: tuple[str, str]) -> None:
    good = await world.token(Account.create())
    tokens = [good if name == "good" else "bad" for name in order]
    answer = await world.http.get(
        "/api/positions",
        headers=[("authorization", f"Bearer {token}") for token in tokens],  # type: ignore[arg-type]
    )

    assert answer.status_code == 401
