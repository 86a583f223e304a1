"""The operator at the signer: what it holds, and its own stop, which needs nothing else of the mesh."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from grpc import StatusCode, aio
from polycopy.signer.v1 import signer_pb2 as pb
from polycopy.signer.v1 import signer_pb2_grpc
from rich.console import Console
from rich.table import Table

from services.cli.failure import CannotRun
from services.cli.wire import shown
from services.common.rpc.remote_signer import SIGNER

TIMEOUT_S = 5.0
AWAY = frozenset({StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED})


@asynccontextmanager
async def signer(target: str) -> "AsyncGenerator[signer_pb2_grpc.SignerServiceAsyncStub]":
    """The signer at `target`, by the operator's certificate. Raises `CannotRun` where it does not answer, or refuses."""
    async with shown(target, [SIGNER]) as channel:
        try:
            yield signer_pb2_grpc.SignerServiceStub(channel)
        except aio.AioRpcError as error:
            if error.code() in AWAY:
                raise CannotRun(f"no signer of this mesh answers at {target}") from error
            raise CannotRun(f"the signer: {error.details()}") from error


async def status(target: str, console: Console) -> None:
    """Every wallet, its key's address, and who halted it. Raises `CannotRun`."""
    async with signer(target) as stub:
        answer = await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
    table = Table("wallet", "key", "signature type", "halted by")
    for one in answer.wallets:
        table.add_row(one.wallet, one.key or "not known yet", str(one.signature_type), ", ".join(one.halted_by))
    console.print(table)


async def halt(target: str, wallet: str, console: Console) -> None:
    """Let no order of a wallet be signed, or of any. Raises `CannotRun`."""
    async with signer(target) as stub:
        answer = await stub.Halt(pb.HaltRequest(wallet=wallet), timeout=TIMEOUT_S)
    console.print(f"{wallet or 'every wallet'}: {answer.status}", highlight=False)


async def resume(target: str, wallet: str, console: Console) -> None:
    """End the halts of a wallet, or all of them. Raises `CannotRun`."""
    async with signer(target) as stub:
        answer = await stub.Resume(pb.ResumeRequest(wallet=wallet), timeout=TIMEOUT_S)
    console.print(f"{wallet or 'every wallet'}: {answer.status}", highlight=False)
