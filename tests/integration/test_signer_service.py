"""The signer's service: who may ask, what it remembers over its restarts, and what stops it."""

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from polycopy.signer.v1 import signer_pb2 as pb
from polycopy.signer.v1 import signer_pb2_grpc

from services.common.ports.signer import SignerAway, SignerHalted, SignerRefused, SignerStanding
from services.common.rpc.authority import PEERS
from services.common.rpc.errors import error_info
from services.common.rpc.remote_signer import RemoteSigner, write_intent
from services.common.signing.key import KeyRejected, KeyUnavailable
from services.common.signing.kms import KmsKey, recoverable
from services.signer.memory import Memory, MemoryUnusable
from tests import kms_stand_in
from tests.patience import PATIENT_S
from tests.signer_world import KEY, NOON, WALLET, World, fields, intent, unhurried

REQUESTS: dict[str, Any] = {
    "SignOrder": write_intent("copy", intent()),
    "SignAuth": pb.SignAuthRequest(wallet=WALLET, timestamp_s=int(NOON.timestamp())),
    "GetStatus": pb.GetStatusRequest(),
    "Halt": pb.HaltRequest(wallet=WALLET),
    "Resume": pb.ResumeRequest(wallet=WALLET),
}
MAY = {
    "engine": set(REQUESTS),
    "reconciler": {"SignAuth", "GetStatus"},
    "ops": {"GetStatus", "Halt", "Resume"},
    "monitor": set[str](),
    "gateway": set[str](),
    "signer": set[str](),
}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    unhurried(monkeypatch)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    async with made.running():
        yield made


async def test_a_certificate_opens_what_its_peer_may_do_and_nothing_else(world: World):
    opened: dict[str, set[str]] = {}
    for peer in PEERS:
        async with world.connected(peer) as connection:
            codes = {name: await code(getattr(connection.stub, name), request) for name, request in REQUESTS.items()}
        opened[peer] = {name for name, answered in codes.items() if answered == "OK"}
        assert set(codes.values()) <= {"OK", "PERMISSION_DENIED"}

    assert opened == MAY


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", "Bearer x"),),
        (("x-polycopy-peer", "engine"), ("x-polycopy-mesh", "x" * 16)),
    ],
    ids=["a token", "the mesh's secret"],
)
async def test_neither_a_token_nor_a_secret_makes_the_monitor_the_engine(world: World, metadata: Any):
    async with world.connected("monitor") as connection:
        found = await code(connection.stub.SignOrder, REQUESTS["SignOrder"], metadata)

    assert found in {"PERMISSION_DENIED", "UNAUTHENTICATED"}


async def test_without_a_certificate_nobody_even_connects(world: World):
    root = grpc.ssl_channel_credentials(world.certificates["engine"].authority.read_bytes())
    options = [("grpc.ssl_target_name_override", "signer")]
    target = f"127.0.0.1:{world.port}"
    for channel in (aio.insecure_channel(target), aio.secure_channel(target, root, options)):
        async with channel:
            stub: Any = signer_pb2_grpc.SignerServiceStub(channel)
            assert await code(stub.SignOrder, REQUESTS["SignOrder"]) == "UNAVAILABLE"


async def code(method: Any, request: Any, metadata: Any = None) -> str:
    try:
        await method(request, timeout=PATIENT_S, metadata=metadata)
    except aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("copy_id", ""),
        ("copy_id", "x" * 201),
        ("order_hash", "0x12"),
        ("order.maker", "me"),
        ("order.signer", "0x" + "g" * 40),
        ("order.token_id", "-1"),
        ("order.token_id", "9" * 78),
        ("order.token_id", "٧"),
        ("order.side", 0),
        ("order.metadata", ""),
        ("order.builder", "0x00"),
        ("order.exchange", ""),
        ("order.domain_version", "two"),
        ("deadline_at", None),
    ],
)
async def test_what_cannot_be_read_is_named(world: World, field: str, value: Any):
    request = pb.SignOrderRequest.FromString(REQUESTS["SignOrder"].SerializeToString())
    *path, last = field.split(".")
    holder = getattr(request, path[0]) if path else request
    if value is None:
        holder.ClearField(last)
    else:
        setattr(holder, last, value)

    async with world.connected() as connection:
        with pytest.raises(aio.AioRpcError) as caught:
            await connection.stub.SignOrder(request, timeout=PATIENT_S)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    info = error_info(dict(caught.value.trailing_metadata() or ()))
    assert info is not None
    assert info[1]["field"] == field


async def test_a_refusal_names_the_rule_and_its_figures(world: World):
    order = fields(maker_amount=250_000_001, taker_amount=600_000_000)
    async with world.connected() as connection:
        with pytest.raises(aio.AioRpcError) as caught:
            await connection.stub.SignOrder(write_intent("copy", intent(order)), timeout=PATIENT_S)

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(dict(caught.value.trailing_metadata() or ())) == (
        "SIGNER_REFUSED",
        {"rule": "amount", "observed": "250000001", "limit": "at most 250000000"},
    )


async def test_a_copy_has_three_orders_whatever_is_restarted_and_each_may_be_signed_again(tmp_path: Path):
    world = World(tmp_path)
    orders = [intent(fields(salt=salt), generation=min(salt, 3)) for salt in (1, 2, 3, 4)]
    for order in orders[:3]:
        async with world.running(), world.signer() as signer:
            assert await signer.sign_intent("copy", order)
            assert await signer.sign_intent("copy", orders[0]) == await signer.sign_intent("copy", orders[0])

    async with world.running(), world.signer() as signer:
        with pytest.raises(SignerRefused, match="generations"):
            await signer.sign_intent("copy", orders[3])
        assert await signer.sign_intent("copy", orders[2])
        assert await signer.sign_intent("another copy", orders[3])


async def test_the_rate_outlives_the_process(tmp_path: Path):
    world = World(tmp_path, max_per_second=2, max_per_minute=3)

    async def sign(salt: int) -> str:
        async with world.running(), world.signer() as signer:
            now = world.clock.now()
            return await signer.sign_intent(f"copy-{salt}", intent(fields(now, salt=salt), now=now))

    assert [bool(await sign(salt)) for salt in (1, 2)] == [True, True]
    with pytest.raises(SignerRefused, match="orders_per_second"):
        await sign(3)
    world.clock.at += timedelta(seconds=1)
    assert await sign(3)
    world.clock.at += timedelta(seconds=1)
    with pytest.raises(SignerRefused, match="orders_per_minute"):
        await sign(4)
    world.clock.at += timedelta(seconds=60)
    assert await sign(4)


async def test_a_halt_outlives_the_process_and_is_ended_by_who_made_it(tmp_path: Path):
    world = World(tmp_path)
    async with world.running(), world.connected() as connection:
        await connection.halt(WALLET)
        await connection.halt(WALLET)
    async with world.running(), world.signer() as signer, world.connected() as connection:
        assert await signer.standing() is SignerStanding.HALTED
        with pytest.raises(SignerHalted):
            await signer.sign_intent("copy", intent())
        assert await signer.sign_auth(int(NOON.timestamp()), 0)

        await connection.resume(WALLET)

        assert await signer.standing() is SignerStanding.READY
        assert await signer.sign_intent("copy", intent())


@pytest.mark.parametrize("halted", [WALLET, ""], ids=["the wallet", "every wallet"])
async def test_what_the_operator_halts_the_engine_cannot_resume(world: World, halted: str):
    async with world.connected("ops") as ops, world.connected() as engine, world.signer() as signer:
        await ops.halt(halted)
        await engine.halt(WALLET)
        with pytest.raises(SignerHalted, match="ops"):
            await engine.resume(WALLET)
        with pytest.raises(SignerHalted):
            await signer.sign_intent("copy", intent())

        await ops.resume(halted)

        assert await signer.sign_intent("copy", intent())


async def test_a_halt_of_all_is_not_ended_for_one(world: World):
    async with world.connected("ops") as ops, world.signer() as signer:
        await ops.halt("")
        with pytest.raises(SignerHalted):
            await ops.resume(WALLET)
        assert await signer.standing() is SignerStanding.HALTED
        with pytest.raises(SignerRefused, match="no such wallet"):
            await ops.halt("0x" + "12" * 20)


@pytest.mark.parametrize(
    ("seconds", "nonce", "rule"),
    [(300, 0, ""), (-300, 0, ""), (301, 0, "timestamp_skew_s"), (-301, 0, "timestamp_skew_s"), (0, 1, "nonce")],
)
async def test_credentials_are_signed_for_about_now_and_for_nonce_0(world: World, seconds: int, nonce: int, rule: str):
    async with world.signer("reconciler") as signer:
        asked = signer.sign_auth(int(NOON.timestamp()) + seconds, nonce)
        if not rule:
            assert await asked
            return
        with pytest.raises(SignerRefused, match=rule):
            await asked


async def test_credentials_are_not_signed_for_without_end(world: World):
    async with world.signer() as signer:
        for _ in range(30):
            await signer.sign_auth(int(NOON.timestamp()), 0)
        with pytest.raises(SignerRefused, match="auths_per_minute"):
            await signer.sign_auth(int(NOON.timestamp()), 0)


async def test_a_signer_without_this_wallet_or_with_another_key_is_not_ready(world: World):
    async with world.connected() as connection:
        stranger = RemoteSigner(connection, "0x" + "12" * 20, WALLET)
        other = RemoteSigner(connection, WALLET, "0x" + "12" * 20)

        assert await stranger.standing() is SignerStanding.UNKNOWN_WALLET
        assert await other.standing() is SignerStanding.OTHER_KEY


async def test_a_signer_that_ends_is_known_to_be_away_at_once_and_again_when_it_is_back(tmp_path: Path):
    world = World(tmp_path)
    async with world.running():
        pass
    async with world.signer() as signer:
        assert await signer.standing() is SignerStanding.AWAY
        assert not signer.at_hand
        async with world.running():
            while await signer.standing() is not SignerStanding.READY:
                pass
            assert signer.at_hand
            assert await signer.sign_intent("copy", intent())
        with pytest.raises(SignerAway):
            await signer.sign_intent("copy", intent())
        assert not signer.at_hand


async def test_nothing_is_signed_without_the_memory(tmp_path: Path):
    world = World(tmp_path)
    async with world.running() as desk, world.signer() as signer:
        desk._memory._db.close()

        with pytest.raises(SignerAway):
            await signer.sign_intent("copy", intent())
        assert await signer.standing() is SignerStanding.AWAY


def test_one_memory_is_one_signers(tmp_path: Path):
    memory = Memory(tmp_path)
    with pytest.raises(MemoryUnusable, match="another signer"):
        Memory(tmp_path)
    memory.close()

    Memory(tmp_path).close()


def test_the_memory_keeps_a_month(tmp_path: Path):
    memory, day = Memory(tmp_path), 24 * 3_600 * 1_000
    memory.remember("w", "old", "0x1", 0)
    memory.remember("w", "young", "0x2", 2)
    memory.forget(30 * day + 1)

    assert [memory.past("w", copy, 0).orders for copy in ("old", "young")] == [frozenset(), {"0x2"}]
    memory.close()


def test_no_core_is_dumped_and_no_one_else_reads_the_memory():
    script = (
        "import ctypes, resource; from services.signer.hardening import harden; harden();"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=PATIENT_S)

    assert told.stdout.strip() == "0 (0, 0)"


async def test_a_key_of_kms_that_is_away_or_not_the_wallets_signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with kms_stand_in.kms(KEY) as stand_in:
        for name, value in kms_stand_in.settings(stand_in).items():
            monkeypatch.setenv(name, value)
        key = await KmsKey.open(kms_stand_in.KEY_ID)
        world = World(tmp_path, key)
        async with world.running(), world.signer() as signer:
            assert await signer.sign_intent("copy", intent())
            for stand_in.failing in ("ThrottlingException", "KMSInternalException", "AccessDeniedException"):
                with pytest.raises(SignerAway):
                    await signer.sign_intent("copy", intent())
            stand_in.failing, stand_in.stranger = "", True
            with pytest.raises(SignerAway):
                await signer.sign_intent("copy", intent())
            stand_in.stranger = False
            assert await signer.sign_intent("copy", intent())
        digests = {body["Message"] for target, body in stand_in.asked if target.endswith("Sign")}
    assert len(digests) == 1


async def test_a_key_of_kms_is_checked_before_it_is_used(monkeypatch: pytest.MonkeyPatch):
    with kms_stand_in.kms(KEY, spec="ECC_NIST_P256") as stand_in:
        for name, value in kms_stand_in.settings(stand_in).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(KeyRejected, match="ECC_SECG_P256K1"):
            await KmsKey.open(kms_stand_in.KEY_ID)
        stand_in.spec = "ECC_SECG_P256K1"
        with pytest.raises(KeyUnavailable, match="NotFound"):
            await KmsKey.open(kms_stand_in.KEY_ID + "s")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another secret")
        with pytest.raises(KeyUnavailable, match="IncompleteSignature"):
            await KmsKey.open(kms_stand_in.KEY_ID)


@pytest.mark.parametrize("der", [b"", b"\x30\x00", bytes(70)])
def test_what_is_no_signature_is_none_of_kms(der: bytes):
    with pytest.raises(KeyUnavailable):
        recoverable(der, bytes(32), b"\x04" + bytes(64))
