"""The signer as its callers meet it: the real server with certificates, over a key of the test's."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from polycopy.signer.v1 import signer_pb2_grpc

from services.common.domain.intent import Attempt, Intent, OrderFields, OrderType
from services.common.domain.market import Side
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.order import order_hash
from services.common.rpc import remote_signer
from services.common.rpc.authority import Authority, certificates
from services.common.rpc.caller import Identity
from services.common.rpc.channel import Mesh
from services.common.rpc.remote_signer import SIGNER, RemoteSigner, SignerConnection
from services.common.rpc.server import Tls, serve
from services.common.signing.key import Key, LocalKey
from services.common.signing.key_signer import KeySigner
from services.signer.config import exchanges
from services.signer.desk import Desk, Held
from services.signer.memory import Memory
from services.signer.policy import Rules
from services.signer.servicer import SignerServicer
from tests.patience import PATIENT_S

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
WALLET = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
KEYSTORE = json.dumps(
    {
        "address": "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "6a8e8447eec345c3538dd0bf67d493fc"},
            "ciphertext": "a81bba6e020f6ab7a2aedaf52137564ee51984eb80d4493c5a017f09c72a11f5",
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": 262144, "r": 8, "p": 1, "salt": "3e2974a94b7036bb6138aacaed36e29a"},
            "mac": "46ee139a53ad069d89088493c37de7f483cc652bfd277b5eb554ac277f4ebd19",
        },
        "id": "89986776-90ef-4104-ac20-11f2ef22be33",
        "version": 3,
    }
)
"""The same key at the least cost that is allowed: a second to open."""

PASSPHRASE = "correct horse"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ZERO = "0x" + "00" * 32


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, duration: timedelta) -> None:
        self.at += duration

    def salt(self) -> int:
        return 1


def fields(now: datetime = NOON, **changes: Any) -> OrderFields:
    order = OrderFields(
        salt=1,
        maker=WALLET,
        signer=WALLET,
        token_id="7",
        maker_amount=5_000_000,
        taker_amount=10_000_000,
        side=Side.BUY,
        signature_type=0,
        timestamp_ms=int(now.timestamp() * 1000),
        metadata=ZERO,
        builder=ZERO,
        chain_id=137,
        exchange=PRODUCTION.exchange_address,
        domain_version="2",
    )
    return replace(order, **changes)


def intent(order: OrderFields | None = None, *, now: datetime = NOON, generation: int = 1, **changes: Any) -> Intent:
    """A stored intent of an order."""
    order = order or fields(now)
    made = Intent(
        generation=generation,
        order_hash=order_hash(order),
        fields=order,
        order_type=OrderType.FAK,
        deadline_at=now + timedelta(seconds=15),
        limit_micros=500_000,
        shares_micros=10_000_000,
        usdc_micros=5_000_000,
        fee_micros=0,
        engine_version="test",
        config_hash="",
        attempts=(Attempt(1, now),),
    )
    return replace(made, **changes)


def rules(key: Key, **changes: Any) -> Rules:
    made = Rules(WALLET.lower(), key.address.lower(), 0, 137, exchanges(PRODUCTION))
    return replace(made, **changes)


def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked is what the signer says, not how soon: its clients wait for as long as it takes."""
    for name in ("SIGN_S", "ASK_S", "HALT_S", "AUTH_S"):
        monkeypatch.setattr(remote_signer, name, PATIENT_S)


class World:
    """A running signer with one wallet. Restarting it keeps its memory and its port."""

    def __init__(self, folder: Path, key: Key | None = None, clock: Clock | None = None, **changes: Any) -> None:
        self.folder = folder
        self.key = key or LocalKey(KEY)
        self.clock = clock or Clock()
        self.rules = rules(self.key, **changes)
        now = datetime.now(UTC)
        self.certificates: dict[str, Tls] = certificates(
            Authority.made(now), folder / "certificates", now, environment="test"
        )
        self.port = 0
        self.up = False

    @asynccontextmanager
    async def running(self, name: str = "memory") -> AsyncIterator[Desk]:
        memory = Memory(self.folder / name)
        desk = Desk([WALLET], memory, self.clock)
        desk.hold(Held(WALLET, self.rules, KeySigner(self.key, 137)))

        def register(server: aio.Server, _: Any) -> None:
            signer_pb2_grpc.add_SignerServiceServicer_to_server(SignerServicer(desk), server)

        own = self.certificates["signer"]
        server = await serve(f"127.0.0.1:{self.port}", [SIGNER], register, Identity(None, "x" * 16), tls=own)
        self.port = server.port
        self.up = True
        try:
            yield desk
        finally:
            self.up = False
            await server.stop(0)
            memory.close()

    @asynccontextmanager
    async def connected(self, peer: str = "engine") -> AsyncIterator[SignerConnection]:
        """A channel that stands wherever there is a signer, so that no call's deadline pays for its handshakes."""
        channel = Mesh(peer, "", self.certificates[peer]).channel(f"127.0.0.1:{self.port}", [SIGNER])
        connection = SignerConnection(channel)
        try:
            if self.up:
                async with asyncio.timeout(PATIENT_S):
                    await channel.channel_ready()
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def signer(self, peer: str = "engine") -> AsyncIterator[RemoteSigner]:
        async with self.connected(peer) as connection:
            yield RemoteSigner(connection, WALLET, self.key.address)
