"""SignerService: read, call, write."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import structlog
from grpc import aio
from polycopy.signer.v1 import signer_pb2 as pb
from polycopy.signer.v1 import signer_pb2_grpc

from services.common.ports.signer import SignerAway
from services.common.rpc.caller import caller
from services.common.rpc.errors import NotFound, SignerUnavailable
from services.signer import wire
from services.signer.desk import Desk, Halted, MemoryUnusable, NoSuchWallet, Refused

log = structlog.get_logger()

Context = aio.ServicerContext[Any, Any]


class SignerServicer(signer_pb2_grpc.SignerServiceServicer):
    """Who may call is the contract's to say, and the certificate's; what is signed is the desk's."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def SignOrder(self, request: pb.SignOrderRequest, context: Context) -> pb.SignOrderResponse:  # type: ignore[override]
        order = wire.read_order(request)
        with _told():
            return pb.SignOrderResponse(signature=await self._desk.sign_order(order))

    async def SignAuth(self, request: pb.SignAuthRequest, context: Context) -> pb.SignAuthResponse:  # type: ignore[override]
        wallet = wire.read_wallet(request.wallet)
        with _told():
            return pb.SignAuthResponse(signature=await self._desk.sign_auth(wallet, request.timestamp_s, request.nonce))

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:  # type: ignore[override]
        with _told():
            return wire.write_status(self._desk)

    async def Halt(self, request: pb.HaltRequest, context: Context) -> pb.HaltResponse:  # type: ignore[override]
        wallet = wire.read_wallet(request.wallet, or_all=True)
        with _told():
            self._desk.halt(wallet, caller().peer)
        return pb.HaltResponse(status="halted")

    async def Resume(self, request: pb.ResumeRequest, context: Context) -> pb.ResumeResponse:  # type: ignore[override]
        wallet = wire.read_wallet(request.wallet, or_all=True)
        with _told():
            self._desk.resume(wallet, caller().peer)
        return pb.ResumeResponse(status="resumed")


@contextmanager
def _told() -> Generator[None]:
    """What the desk raises, as callers know it."""
    try:
        yield
    except Refused as error:
        raise wire.refusal(error) from error
    except Halted as error:
        raise wire.halted(error) from error
    except NoSuchWallet as error:
        raise NotFound("wallet", str(error)) from error
    except (SignerAway, MemoryUnusable) as error:
        log.error("cannot_sign", error=type(error).__name__, text=str(error)[:200])  # noqa: TRY400  no stack is needed
        raise SignerUnavailable from error
