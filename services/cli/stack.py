"""The whole mesh on this machine: database, cache, chain, venue and the services, started together and left behind by none."""

import asyncio
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli import mongod, operator, paper, valkey
from services.cli.addresses import Addresses
from services.cli.child import Child, start
from services.cli.failure import CannotRun
from services.cli.folder import CERTIFICATES, SIGNED
from services.cli.paper import PaperWallet
from services.cli.venue_admin import VenueAdmin
from services.cli.waiting import together, until_well
from services.common.audit.key import AuditKey
from services.common.rpc.authority import Authority, certificates
from services.common.rpc.caller import OPS
from services.common.rpc.server import Tls
from services.common.sealing import add_key
from services.common.settings import AccountSettings
from services.common.store.replica import drop
from services.common.wallets import config_hash

SERVICES = ("signer", "monitor", "engine", "reconciler", "gateway")
FUNDS_MICROS = 50_000_000_000
ASIDE = ("nice", "-n", "10")
"""The chain is elsewhere in reality: its EVM, in Python, must not take the processor from what is shown and measured."""


@dataclass(slots=True)
class Options:
    """What a mesh is started with. `venue` are further arguments of the venue; `env` further settings of the services.

    With `mongodb_uri` or `redis_url` a server that runs already is used, with a database that is dropped at the end.
    """

    folder: Path
    addresses: Addresses
    seed: int = 1
    wallets: int = 1
    block_ms: int = 2_000
    limits: str = paper.LIMITS
    venue: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict[str, str])
    mongodb_uri: str = ""
    redis_url: str = ""
    tell: Callable[[str], None] = lambda _: None


class Stack:
    """A running mesh. `stop` ends everything that `start` has begun, also after a start that failed halfway."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.addresses = options.addresses
        self.children: dict[str, Child] = {}
        self.wallets = [PaperWallet.of_seed(options.seed + n, options.folder) for n in range(options.wallets)]
        self.admin = VenueAdmin(options.addresses.venue_url)
        self.mongodb_uri = options.mongodb_uri or mongod.uri(options.addresses.mongod)
        self.redis_url = options.redis_url or f"redis://127.0.0.1:{options.addresses.valkey}/0"
        self.database = f"polycopy_{secrets.token_hex(4)}" if options.mongodb_uri else "polycopy"
        # Made anew for each mesh; the authority's own key is never written.
        self.certificates = certificates(
            Authority.made(datetime.now(UTC)), options.folder / CERTIFICATES, datetime.now(UTC), environment="local"
        )
        self.audit_key, self.audit_file = options.folder / "audit.key", options.folder / "audit.jsonl"
        self.seal_key = options.folder / "seal.key"
        self._secrets = {"MESH_SECRET": secrets.token_hex(16), "JWT_SECRET": secrets.token_hex(32)}

    @property
    def journal(self) -> Path:
        """The venue's append-only log."""
        return self.options.folder / "venue.jsonl"

    async def start(self) -> None:
        """Start everything and wait until it is well. Raises `CannotRun` before anything is started where a part or a port is missing."""
        if problems := self.missing():
            raise CannotRun("; ".join(problems))
        await together(self._mongod(), self._valkey(), self._venue())
        await self.configure()
        await together(*(self.serve(name) for name in SERVICES))
        self.options.tell("mesh is up")
        await self.well()
        await until_well(self._takes_work, self.children["engine"])

    def missing(self) -> list[str]:
        """What this machine lacks for the mesh, in words; empty where nothing does."""
        servers = {
            "mongod": (mongod.binary, self.options.mongodb_uri),
            "valkey": (valkey.binary, self.options.redis_url),
        }
        elsewhere = [name for name, (_, url) in servers.items() if url]
        problems: list[str] = []
        for name, (find, _) in servers.items():
            try:
                if name not in elsewhere:
                    find()
            except mongod.NoServer as error:
                problems.append(str(error))
        taken = self.addresses.taken(elsewhere)
        return [*problems, *([f"taken: port {', '.join(taken)}; --free-ports takes others"] if taken else [])]

    async def stop(self) -> None:
        """End what runs, callers before what they call. A cancellation or a failure on the way ends the rest at once."""
        await self.admin.close()
        try:
            await self._end(*SERVICES)
            if self.options.mongodb_uri:
                await asyncio.to_thread(drop, self.mongodb_uri, self.database)
            await self._end("venue")
            await self._end("node", "valkey", "mongod")
        except BaseException:
            await asyncio.gather(*(child.kill() for child in self.children.values()))
            raise

    async def _end(self, *names: str) -> None:
        ending = [self.children[name] for name in names if name in self.children]
        codes = await asyncio.gather(*(child.stop() for child in ending))
        for child, code in zip(ending, codes, strict=True):
            if code:
                self.options.tell(f"{child.name} ended with {code}")

    async def configure(self) -> None:
        """Fund the wallets and write whom they follow."""
        leaders = await self.admin.leaders()
        for wallet in self.wallets:
            await self.admin.fund(wallet.address, FUNDS_MICROS)
        if not self.audit_key.exists():
            AuditKey.made(self.audit_key)
        if not self.seal_key.exists():
            add_key(self.seal_key)
        self.config_file.write_text(paper.config(self.wallets, leaders, self.options.limits))
        self.signer_file.write_text(paper.signing(self.wallets, self.options.limits))

    @property
    def config_file(self) -> Path:
        return self.options.folder / "accounts.toml"

    @property
    def signer_file(self) -> Path:
        """Where the signer alone reads of keys."""
        return self.options.folder / "signer.toml"

    @property
    def config_hash(self) -> str:
        """The name that every order's record has for this configuration."""
        return config_hash(AccountSettings.model_construct(polycopy_config=self.config_file))

    async def serve(self, name: str) -> None:
        """Start one of the services, again if it has ended."""
        command = [sys.executable, "-m", f"services.{name}"]
        log = self.options.folder / f"{name}.log"
        self.children[name] = await start(name, command, log, self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        """The settings of one service of this mesh. The signer's are its own: no other learns of a key, and it of nothing else."""
        own = certificate_settings(self.certificates[name])
        if name == "signer":
            return {
                **own,
                "SIGNER_LISTEN": self.addresses.target("signer"),
                "SIGNER_CONFIG": str(self.signer_file),
                "SIGNER_STATE_DIR": str(self.options.folder / SIGNED),
                **self.options.env,
            }
        sealing = {"SEAL_KEY_FILE": str(self.seal_key)} if name == "engine" else {}
        return {
            **self.addresses.settings(),
            **self._secrets,
            **own,
            "MONGODB_URI": self.mongodb_uri,
            "MONGODB_DATABASE": self.database,
            "REDIS_URL": self.redis_url,
            "POLYCOPY_CONFIG": str(self.config_file),
            "ADMIN_ADDRESSES": self.wallets[0].address,
            "AUDIT_FILE": str(self.audit_file),
            "AUDIT_KEY_FILE": str(self.audit_key),
            **sealing,
            **self.options.env,
        }

    async def well(self) -> None:
        """Wait until every service says that it can work."""
        await together(*(self._serving(name) for name in SERVICES[:-1]), self._gateway())

    async def _takes_work(self) -> bool:
        # It serves before its gate is open: the first comparison of the books has to be through, and known to it.
        try:
            return not await operator.waiting_for(self.addresses.target("engine"), self.shown_to("engine"))
        except CannotRun:
            return False

    def check(self) -> None:
        """Raise `ChildDied` when a part has ended by itself."""
        for child in self.children.values():
            child.check()

    async def _mongod(self) -> None:
        if self.options.mongodb_uri:
            return
        child, self.mongodb_uri = await mongod.run(self.options.folder, self.addresses.mongod)
        self.children["mongod"] = child
        self.options.tell("mongod is up")

    async def _valkey(self) -> None:
        if self.options.redis_url:
            return
        child, self.redis_url = await valkey.run(self.options.folder, self.addresses.valkey)
        self.children["valkey"] = child
        self.options.tell("valkey is up")

    async def _venue(self) -> None:
        await self.serve_node()
        await self.serve_venue()

    async def serve_node(self) -> None:
        """Start the local chain and wait until it answers."""
        folder, addresses = self.options.folder, self.addresses
        blocks = ("--block-ms", str(self.options.block_ms))
        command = [*ASIDE, sys.executable, "-m", "services.venue.node", "--port", str(addresses.node), *blocks]
        self.children["node"] = child = await start("node", command, folder / "node.log")
        await until_well(lambda: _chain_answers(addresses.node_url), child)
        self.options.tell("chain is up")

    async def serve_venue(self) -> None:
        """Start the local venue and wait until its markets are made."""
        folder, addresses = self.options.folder, self.addresses
        command = [
            *(sys.executable, "-m", "services.venue", "--port", str(addresses.venue), "--node", addresses.node_url),
            *("--journal", str(self.journal), "--seed", str(self.options.seed), *self.options.venue),
        ]
        self.children["venue"] = child = await start("venue", command, folder / "venue.log")
        await until_well(self.admin.ready, child)
        self.options.tell("venue is up")

    async def _serving(self, name: str) -> None:
        async def serving() -> bool:
            return await self.is_serving(name)

        await until_well(serving, self.children[name])
        self.options.tell(f"{name} is up")

    async def is_serving(self, name: str) -> bool:
        """The service's own health check says that it can work."""
        return await is_serving(self.addresses.target(name), self.shown_to(name), name)

    def shown_to(self, name: str) -> Tls | None:
        """The operator's certificate, where this service asks for one: the signer always, the others where all of the mesh does."""
        everywhere = self.options.env.get("MESH_TLS") == "all"
        return self.certificates[OPS] if everywhere or name == "signer" else None

    async def _gateway(self) -> None:
        async with httpx.AsyncClient(base_url=self.addresses.api_url, timeout=2) as http:

            async def ready() -> bool:
                try:
                    return (await http.get("/health/ready")).is_success
                except httpx.HTTPError:
                    return False

            await until_well(ready, self.children["gateway"])
        self.options.tell("gateway is up")


def certificate_settings(tls: Tls) -> dict[str, str]:
    """The settings that let a service, or an operator, prove who he is; on loopback only the signer asks for it."""
    return {
        "MESH_CA_FILE": str(tls.authority),
        "MESH_CERT_FILE": str(tls.certificate),
        "MESH_KEY_FILE": str(tls.key),
        "MESH_TLS": "signer",
    }


async def is_serving(target: str, operator: Tls | None = None, name: str = "signer") -> bool:
    """The gRPC server `name` at `target` answers, and says that it can work; one that asks for a certificate is shown the operator's."""
    named = [("grpc.ssl_target_name_override", name)]
    shown = aio.secure_channel(target, operator.client(), named) if operator else aio.insecure_channel(target)
    async with shown as channel:
        stub = cast(Any, health_pb2_grpc).HealthStub(channel)  # no types of its own
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
        except aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _chain_answers(url: str) -> bool:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    try:
        async with httpx.AsyncClient(timeout=2) as http:
            return "result" in (await http.post(url, json=body)).json()
    except (httpx.HTTPError, ValueError):
        return False
