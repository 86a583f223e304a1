"""Where the signer's real parts meet."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
from grpc import aio
from polycopy.signer.v1 import signer_pb2_grpc

from services.common import telemetry
from services.common.clock import SystemClock
from services.common.loop import forever, until_done
from services.common.mesh import certificate_of, signer_problems
from services.common.polymarket.eip712 import checksum_address
from services.common.rpc.caller import Identity
from services.common.rpc.remote_signer import SIGNER
from services.common.rpc.server import Server, serve
from services.common.settings import Check, MeshSettings, load
from services.common.signing.key_signer import KeySigner
from services.signer import metrics
from services.signer.config import WalletTable, config_problems, tables, venue_of
from services.signer.desk import Desk, Held
from services.signer.hardening import harden
from services.signer.memory import Memory
from services.signer.servicer import SignerServicer
from services.signer.settings import SignerSettings

AGAIN = timedelta(seconds=1)
FORGET = timedelta(hours=1)

log = structlog.get_logger()


async def main(stop: asyncio.Event) -> None:
    """Run the signer until `stop`."""
    harden()
    settings = load(SignerSettings, Check(MeshSettings, signer_problems), Check(SignerSettings, config_problems))
    telemetry.configure("signer", settings.log_level)
    telemetry.serve_metrics(settings.metrics_port)
    clock, wanted = SystemClock(), tables(settings)
    async with AsyncExitStack() as open_parts:
        memory = Memory(settings.signer_state_dir)
        open_parts.callback(memory.close)
        desk = Desk([table.wallet for table in wanted], memory, clock)
        server = await _server(settings, desk)
        open_parts.push_async_callback(server.stop)
        await server.set_serving(False)
        work = [
            asyncio.create_task(forever("forget", lambda: _forget(memory, clock), FORGET, clock)),
            asyncio.create_task(forever("halts", lambda: _tell(desk), AGAIN, clock)),
        ]
        for table in wanted:
            await until_done("key", lambda table=table: _hold(table, settings, desk), AGAIN, clock, stop)
        if not stop.is_set():
            await server.set_serving(True)
            log.info("signer_ready", wallets=sorted(desk.held), port=server.port)
        await stop.wait()
        await server.leave()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def _hold(table: WalletTable, settings: SignerSettings, desk: Desk) -> None:
    venue = venue_of(settings)
    key = await table.key()
    table.checked(key)
    desk.hold(
        Held(checksum_address(table.wallet), table.rules(key, venue), KeySigner(key, venue.chain_id, table.wallet))
    )


async def _forget(memory: Memory, clock: SystemClock) -> None:
    memory.forget(int(clock.now().timestamp() * 1_000))


async def _tell(desk: Desk) -> None:
    for wallet in desk.held:
        metrics.HALTED.labels(wallet).set(bool(desk.halted_by(wallet)))


async def _server(settings: SignerSettings, desk: Desk) -> Server:
    def register(server: aio.Server, _: asyncio.Event) -> None:
        signer_pb2_grpc.add_SignerServiceServicer_to_server(SignerServicer(desk), server)

    # With certificates nobody is believed by a secret: this one is known to no one.
    identity = Identity(None, secrets.token_hex(32))
    return await serve(settings.signer_listen, [SIGNER], register, identity, tls=certificate_of(settings))
