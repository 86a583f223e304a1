"""The mesh's own authority: its certificates open what their peer may do, and none opens anything as somebody else."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from grpc import aio
from polycopy.engine.v1 import engine_pb2, engine_pb2_grpc
from typer.testing import CliRunner

from services.cli import operator
from services.cli.__main__ import app
from services.cli.failure import CannotRun
from services.cli.stack import certificate_settings
from services.common.rpc.authority import PEERS, Authority, certificates
from services.common.rpc.caller import Identity, caller
from services.common.rpc.channel import Mesh
from services.common.rpc.server import Server, Tls, serve
from tests.patience import PATIENT_S

ENGINE = "polycopy.engine.v1.EngineService"
NOW = datetime.now(UTC)


class Engine(engine_pb2_grpc.EngineServiceServicer):
    async def StopTrading(self, request: Any, context: Any) -> Any:
        return engine_pb2.StopTradingResponse(status=caller().name)

    async def GetTradingStatus(self, request: Any, context: Any) -> Any:
        return engine_pb2.GetTradingStatusResponse(version=caller().name)


@asynccontextmanager
async def engine(tls: Tls) -> AsyncIterator[Server]:
    def register(server: aio.Server, _: Any) -> None:
        engine_pb2_grpc.add_EngineServiceServicer_to_server(Engine(), server)

    server = await serve("127.0.0.1:0", [ENGINE], register, Identity(None, "a secret of the mesh"), tls=tls)
    try:
        yield server
    finally:
        await server.stop(0)


async def stopped(server: Server, tls: Tls, name: str = "x") -> str:
    """Who the engine takes the caller for when he stops trading, or the status."""
    async with Mesh(name, "", tls).channel(f"127.0.0.1:{server.port}", [ENGINE]) as channel:
        stub: Any = engine_pb2_grpc.EngineServiceStub(channel)
        try:
            return str((await stub.StopTrading(engine_pb2.StopTradingRequest(), timeout=PATIENT_S)).status)
        except aio.AioRpcError as error:
            return error.code().name


def made(folder: Path, now: datetime = NOW, **how: Any) -> dict[str, Tls]:
    return certificates(Authority.made(now), folder, now, environment="test", **how)


async def test_the_operator_stops_trading_with_his_certificate_and_a_service_does_not(tmp_path: Path):
    held = made(tmp_path)

    async with engine(held["engine"]) as server:
        found = {name: await stopped(server, held[name]) for name in PEERS}

    assert found["ops"] == "ops"
    assert set(found.values()) == {"ops", "PERMISSION_DENIED", "UNAUTHENTICATED"}
    assert [name for name, answer in found.items() if answer == "UNAUTHENTICATED"] == ["gateway"]


async def test_a_certificate_of_the_mesh_does_not_pass_for_another_services(tmp_path: Path):
    held = made(tmp_path)

    async with engine(held["monitor"]) as server:
        assert await stopped(server, held["ops"]) == "UNAVAILABLE"


async def test_nobody_serves_with_the_operators_certificate(tmp_path: Path):
    held = made(tmp_path)

    async with engine(held["ops"]) as server:
        assert await stopped(server, held["ops"]) == "UNAVAILABLE"


async def test_another_authority_opens_nothing(tmp_path: Path):
    ours, theirs = made(tmp_path / "ours"), made(tmp_path / "theirs")
    mixed = Tls(ours["ops"].authority, theirs["ops"].certificate, theirs["ops"].key)

    async with engine(ours["engine"]) as server:
        assert await stopped(server, mixed) == "UNAVAILABLE"


async def test_a_certificate_that_has_run_out_opens_nothing(tmp_path: Path):
    authority = Authority.made(NOW - timedelta(days=30))
    held = certificates(authority, tmp_path, NOW, environment="test")
    old = authority.issue("ops", tmp_path / "old", NOW - timedelta(days=8), environment="test")

    async with engine(held["engine"]) as server:
        assert (await stopped(server, held["ops"]), await stopped(server, old)) == ("ops", "UNAVAILABLE")


async def test_an_authority_that_is_kept_issues_for_the_same_mesh_again(tmp_path: Path):
    root, first, second = tmp_path / "root", tmp_path / "first", tmp_path / "second"
    held = certificates(Authority.kept(root, NOW), first, NOW, environment="test")
    again = certificates(Authority.kept(root, NOW), second, NOW, environment="test")

    async with engine(held["engine"]) as server:
        assert await stopped(server, again["ops"]) == "ops"


def test_files_that_are_no_authority_are_refused(tmp_path: Path):
    Authority.kept(tmp_path / "one", NOW)
    Authority.kept(tmp_path / "other", NOW)

    with pytest.raises(ValueError, match="is not the certificate of"):
        Authority.read(tmp_path / "one/ca.crt", tmp_path / "other/ca.key")


def test_a_leaf_names_one_peer_for_a_week_and_its_key_is_its_owners_alone(tmp_path: Path):
    held = made(tmp_path)

    for name, tls in held.items():
        leaf = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://polycopy/test/{name}"]
        assert names.get_values_for_type(x509.DNSName) == [name]
        assert leaf.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=7)
        assert stat.S_IMODE(tls.key.stat().st_mode) == 0o600
    assert not (tmp_path / "ca.key").exists()


async def test_the_command_shows_the_operators_certificate_where_the_settings_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held = made(tmp_path)
    async with engine(held["engine"]) as server:
        target = f"127.0.0.1:{server.port}"
        with pytest.raises(CannotRun, match="no engine answers"):
            await operator.waiting_for(target)
        for name, value in certificate_settings(held["ops"]).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MESH_TLS", "all")

        assert await operator.waiting_for(target) == []

        monkeypatch.setenv("MESH_KEY_FILE", str(tmp_path / "none.key"))
        with pytest.raises(CannotRun, match=r"MESH_KEY_FILE: .* is no file"):
            await operator.waiting_for(target)


async def test_the_command_issues_for_every_peer_and_again_by_the_same_authority(tmp_path: Path):
    command = ["certificates", str(tmp_path), "--environment", "test"]
    first = CliRunner().invoke(app, command)
    before = (tmp_path / "ca.crt").read_bytes(), (tmp_path / "ops.crt").read_bytes()
    again = CliRunner().invoke(app, [*command, "--days", "1"])
    held = {name: Tls(tmp_path / "ca.crt", tmp_path / f"{name}.crt", tmp_path / f"{name}.key") for name in PEERS}

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert [line.partition(":")[0] for line in again.output.splitlines()] == list(PEERS)
    assert (tmp_path / "ca.crt").read_bytes() == before[0]
    assert (tmp_path / "ops.crt").read_bytes() != before[1]
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    async with engine(held["engine"]) as server:
        assert await stopped(server, held["ops"]) == "ops"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--environment", "Prod/1"], "lower-case"), (["--days", "31"], "days"), ([], "unable to load")],
    ids=["environment", "days", "a file that is no key"],
)
def test_the_command_refuses_what_makes_no_certificate(tmp_path: Path, arguments: list[str], said: str):
    (tmp_path / "ca.key").write_text("no key")
    (tmp_path / "ca.crt").write_text("no certificate")

    found = CliRunner().invoke(app, ["certificates", str(tmp_path), *arguments])

    assert found.exit_code == 2
    assert said in " ".join(found.output.split()).lower()
