"""Claims that do not hold, on the wire: who shows something twice, in a wrong way or no longer, is nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from polycopy.engine.v1 import engine_pb2, engine_pb2_grpc
from polycopy.gateway.v1 import auth_pb2, auth_pb2_grpc

from services.common.domain.user import UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc import standing
from services.common.rpc.caller import Identity, Principal, caller
from services.common.rpc.errors import Unauthenticated
from services.common.rpc.payer import payer
from services.common.rpc.server import Server, Tls, serve
from tests.patience import PATIENT_S

SECRET = "a secret of the mesh"
ENGINE, AUTH = "polycopy.engine.v1.EngineService", "polycopy.gateway.v1.AuthService"
PERSON = Principal("0x" + "1" * 40, UserRole.ADMIN)

Metadata = tuple[tuple[str, str | bytes], ...]


class Verifier:
    """One good token, until it is revoked; remembers which checks were to be fresh."""

    def __init__(self) -> None:
        self.good = {"good"}
        self.away = False
        self.fresh: list[bool] = []

    async def verify(self, token: str, *, fresh: bool = False) -> Principal:
        self.fresh.append(fresh)
        if self.away:
            raise StoreUnavailable("away")
        if token not in self.good:
            raise Unauthenticated
        return PERSON


class Quota:
    def __init__(self) -> None:
        self.paid: list[str] = []

    async def take(self, who: str, rate_class: int, *, reads_only: bool) -> None:
        self.paid.append(who)


class Engine(engine_pb2_grpc.EngineServiceServicer):
    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def GetTradingStatus(self, request: Any, context: Any) -> Any:
        return engine_pb2.GetTradingStatusResponse(version=f"{caller().peer}/{caller().name}")

    async def StopTrading(self, request: Any, context: Any) -> Any:
        return engine_pb2.StopTradingResponse(status="stopped")

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            yield engine_pb2.WatchEventsResponse(resume_token="1")
            await asyncio.Event().wait()
        finally:
            self.left.set()


class Auth(auth_pb2_grpc.AuthServiceServicer):
    async def CreateNonce(self, request: Any, context: Any) -> Any:
        return auth_pb2.CreateNonceResponse()


class Served:
    def __init__(self) -> None:
        self.verifier, self.quota, self.engine = Verifier(), Quota(), Engine()

    @asynccontextmanager
    async def running(self, tls: Tls | None = None) -> AsyncIterator[Server]:
        def register(server: aio.Server, _: asyncio.Event) -> None:
            engine_pb2_grpc.add_EngineServiceServicer_to_server(self.engine, server)
            auth_pb2_grpc.add_AuthServiceServicer_to_server(Auth(), server)

        identity = Identity(self.verifier, SECRET)
        server = await serve("127.0.0.1:0", [ENGINE, AUTH], register, identity, quota=self.quota, tls=tls)
        try:
            yield server
        finally:
            await server.stop(0.5)


@pytest.fixture
def served() -> Served:
    return Served()


async def status(channel: aio.Channel, metadata: Metadata = ()) -> str:
    """Who the engine took the caller for, or the code of the refusal."""
    stub: Any = engine_pb2_grpc.EngineServiceStub(channel)
    try:
        answer = await stub.GetTradingStatus(engine_pb2.GetTradingStatusRequest(), metadata=metadata, timeout=PATIENT_S)
    except aio.AioRpcError as error:
        return error.code().name
    return str(answer.version)


@pytest.mark.parametrize(
    ("metadata", "taken_for"),
    [
        ((), "ops/ops"),
        ((("authorization", "Bearer good"),), f"/{PERSON.address}"),
        ((("authorization", "bearer good"),), f"/{PERSON.address}"),
        ((("authorization", "Bearer good"), ("authorization", "Bearer bad")), "UNAUTHENTICATED"),
        ((("authorization", "Bearer bad"), ("authorization", "Bearer good")), "UNAUTHENTICATED"),
        ((("authorization", "Bearer bad"),), "UNAUTHENTICATED"),
        ((("authorization", "Basic good"),), "UNAUTHENTICATED"),
        ((("authorization", "Bearer"),), "UNAUTHENTICATED"),
        ((("authorization", "good"),), "UNAUTHENTICATED"),
        ((("authorization", ""),), "UNAUTHENTICATED"),
        ((("x-polycopy-peer", "gateway"),), "UNAUTHENTICATED"),
        ((("x-polycopy-peer", "gateway"), ("x-polycopy-mesh", "guess")), "UNAUTHENTICATED"),
        ((("x-polycopy-peer", "ops"), ("x-polycopy-mesh", SECRET)), "UNAUTHENTICATED"),
        ((("x-polycopy-peer", "monitor"), ("x-polycopy-mesh", SECRET)), "PERMISSION_DENIED"),
        (
            (("x-polycopy-peer", "monitor"), ("x-polycopy-peer", "gateway"), ("x-polycopy-mesh", SECRET)),
            "UNAUTHENTICATED",
        ),
        ((("x-forwarded-for", "127.0.0.1"),), "UNAUTHENTICATED"),
        ((("x-forwarded-for", ""),), "UNAUTHENTICATED"),
    ],
)
async def test_a_claim_that_does_not_hold_is_not_taken_for_none(
    served: Served, metadata: Metadata, taken_for: str
) -> None:
    async with served.running() as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        assert await status(channel, metadata) == taken_for


async def test_a_secret_of_any_characters_is_compared_and_not_stumbled_over() -> None:
    identity = Identity(None, "пароль для сетки служб")

    for guess in ("é", "", "пароль"):
        with pytest.raises(Unauthenticated):
            await identity.of({"x-polycopy-peer": "gateway", "x-polycopy-mesh": guess}, "ipv4:127.0.0.1:1", {})


async def test_what_an_admin_changes_is_decided_on_what_is_true_now(served: Served) -> None:
    async with served.running() as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = engine_pb2_grpc.EngineServiceStub(channel)
        bearer = (("authorization", "Bearer good"),)
        await stub.GetTradingStatus(engine_pb2.GetTradingStatusRequest(), metadata=bearer)
        await stub.StopTrading(engine_pb2.StopTradingRequest(), metadata=bearer)

    assert served.verifier.fresh == [False, True]


async def test_a_stream_ends_with_the_right_to_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "LOOK_S", 0.02)
    async with served.running() as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = engine_pb2_grpc.EngineServiceStub(channel)
        stream = stub.WatchEvents(engine_pb2.WatchEventsRequest(), metadata=(("authorization", "Bearer good"),))
        first = await stream.read()
        served.verifier.away = True
        await _looked(served, 3)
        still_open = not stream.done()
        served.verifier.away = False
        served.verifier.good.clear()
        with pytest.raises(aio.AioRpcError) as caught:
            async with asyncio.timeout(PATIENT_S):
                await stream.read()
        async with asyncio.timeout(PATIENT_S):
            await served.engine.left.wait()

    assert first.resume_token == "1"
    assert still_open
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def _looked(served: Served, times: int) -> None:
    before = len(served.verifier.fresh)
    async with asyncio.timeout(PATIENT_S):
        while True:
            if len(served.verifier.fresh) >= before + times:
                return
            await asyncio.sleep(0.01)


async def test_strangers_who_come_past_the_gateway_do_not_share_a_budget(served: Served) -> None:
    async with served.running() as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = auth_pb2_grpc.AuthServiceStub(channel)
        for came in ("198.51.100.1", "198.51.100.2", "6.6.6.6, 198.51.100.3"):
            await stub.CreateNonce(auth_pb2.CreateNonceRequest(), metadata=(("x-forwarded-for", came),))

    assert served.quota.paid == ["from 198.51.100.1", "from 198.51.100.2", "from 198.51.100.3"]


def someone(peer: str, principal: Principal | None = None) -> Any:
    from services.common.rpc.caller import Caller

    return Caller(peer, principal)


@pytest.mark.parametrize(
    ("who", "came", "remote", "pays"),
    [
        (someone("", PERSON), "1.1.1.1", "", PERSON.address),
        (someone("gateway", PERSON), "1.1.1.1", "", PERSON.address),
        (someone("ops"), None, "ipv4:127.0.0.1:9", None),
        (someone("engine"), None, "ipv4:10.0.0.1:9", None),
        (someone("gateway"), "1.1.1.1", "ipv4:10.0.0.1:9", "from 1.1.1.1"),
        (someone("gateway"), "", "ipv4:10.0.0.1:9", "from 10.0.0.1"),
        (someone(""), None, "ipv4:10.0.0.1:9", "from 10.0.0.1"),
        (someone(""), None, "ipv6:%5B2001:db8::1%5D:9", "from 2001:db8::/64"),
        (someone("gateway"), "2001:db8::1", "", "from 2001:db8::/64"),
        (someone("gateway"), "2001:db8::ffff:1", "", "from 2001:db8::/64"),
        (someone("gateway"), "::ffff:1.1.1.1", "", "from 1.1.1.1"),
        (someone("gateway"), "x" * 900, "", "from " + "x" * 64),
    ],
)
def test_a_budget_belongs_to_a_person_or_to_a_home(who: Any, came: str | None, remote: str, pays: str | None) -> None:
    metadata = {} if came is None else {"x-forwarded-for": came}

    assert payer(who, metadata, remote) == pays


class Authority:
    """A mesh's certificate authority, and certificates of it with or without a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mesh")])
        self.file = folder / "ca.crt"
        self.file.write_bytes(self._signed(self._key, self._name, [], authority=True))

    def tls(self, name: str, *alternatives: x509.GeneralName) -> Tls:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        paths = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        paths[0].write_bytes(self._signed(key, subject, [x509.DNSName("localhost"), *alternatives]))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Tls(self.file, *paths)

    def _signed(self, key: Any, subject: x509.Name, names: list[x509.GeneralName], *, authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def spiffe(name: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(f"spiffe://polycopy/{name}")


CLAIMED: Metadata = (("x-polycopy-peer", "gateway"), ("x-polycopy-mesh", SECRET))
BEARER: Metadata = (("authorization", "Bearer good"),)


@pytest.mark.parametrize(
    ("names", "metadata", "taken_for"),
    [
        ((spiffe("gateway"),), BEARER, f"gateway/{PERSON.address}"),
        ((spiffe("prod/gateway"),), BEARER, f"gateway/{PERSON.address}"),
        ((spiffe("ops"),), (), "ops/ops"),
        ((spiffe("gateway"),), (), "UNAUTHENTICATED"),
        ((spiffe("monitor"),), BEARER, "PERMISSION_DENIED"),
        ((spiffe("monitor"),), (*CLAIMED, *BEARER), "PERMISSION_DENIED"),
        ((x509.UniformResourceIdentifier("spiffe://elsewhere/ops"),), (), "UNAUTHENTICATED"),
        ((), (), "UNAUTHENTICATED"),
        ((), CLAIMED, "UNAUTHENTICATED"),
        ((), (*CLAIMED, *BEARER), f"/{PERSON.address}"),
    ],
)
async def test_with_certificates_a_peer_is_who_his_says_and_loopback_means_nothing(
    served: Served, tmp_path: Path, names: tuple[x509.GeneralName, ...], metadata: Metadata, taken_for: str
) -> None:
    authority = Authority(tmp_path)
    shown = authority.tls("client", *names).client()
    async with (
        served.running(authority.tls("engine", spiffe("engine"))) as server,
        aio.secure_channel(f"localhost:{server.port}", shown) as channel,
    ):
        assert await status(channel, metadata) == taken_for


@pytest.mark.parametrize(
    "credentials",
    [
        lambda authority, folder: grpc.ssl_channel_credentials(authority.file.read_bytes()),
        lambda authority, folder: Tls(authority.file, *stranger(folder)).client(),
        None,
    ],
    ids=["no certificate", "another authority's", "no TLS"],
)
async def test_without_a_certificate_of_the_mesh_nobody_connects(
    served: Served, tmp_path: Path, credentials: Callable[[Authority, Path], Any] | None
) -> None:
    authority = Authority(tmp_path)
    async with served.running(authority.tls("engine", spiffe("engine"))) as server:
        target = f"localhost:{server.port}"
        channel = (
            aio.insecure_channel(target)
            if credentials is None
            else aio.secure_channel(target, credentials(authority, tmp_path))
        )
        async with channel:
            assert await status(channel, CLAIMED) == "UNAVAILABLE"


def stranger(folder: Path) -> tuple[Path, Path]:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    made = Authority(elsewhere).tls("client", spiffe("ops"))
    return made.certificate, made.key


async def test_who_came_from_elsewhere_sees_no_insides_and_health_is_for_everyone(served: Served) -> None:
    from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    forwarded: Metadata = (("x-forwarded-for", "198.51.100.1"),)
    codes: dict[str, str] = {}
    async with served.running() as server, aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        for name, metadata in (("local", ()), ("forwarded", forwarded), ("person", BEARER)):
            health: Any = health_pb2_grpc.HealthStub(channel)  # type: ignore[no-untyped-call]
            zed: Any = channelz_pb2_grpc.ChannelzStub(channel)  # type: ignore[no-untyped-call]
            mirror: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[no-untyped-call]
            asked = reflection_pb2.ServerReflectionRequest(list_services="")
            codes[f"{name} health"] = await code(health.Check(health_pb2.HealthCheckRequest(), metadata=metadata))
            codes[f"{name} channelz"] = await code(zed.GetServers(channelz_pb2.GetServersRequest(), metadata=metadata))
            codes[f"{name} reflection"] = await code(
                mirror.ServerReflectionInfo(iter([asked]), metadata=metadata).read()
            )

    assert codes == {
        "local health": "OK",
        "local channelz": "OK",
        "local reflection": "OK",
        "forwarded health": "OK",
        "forwarded channelz": "PERMISSION_DENIED",
        "forwarded reflection": "PERMISSION_DENIED",
        "person health": "OK",
        "person channelz": "PERMISSION_DENIED",
        "person reflection": "PERMISSION_DENIED",
    }


async def code(call: Any) -> str:
    try:
        await call
    except aio.AioRpcError as error:
        return error.code().name
    return "OK"
