"""AuthService: read, call, write."""

from typing import Any

from grpc import aio
from polycopy.gateway.v1 import auth_pb2 as pb
from polycopy.gateway.v1 import auth_pb2_grpc

from services.common.rpc.caller import caller
from services.gateway import wire
from services.gateway.login import Login

Context = aio.ServicerContext[Any, Any]


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """Logging in and out over gRPC; REST comes through the same methods."""

    def __init__(self, login: Login) -> None:
        self._login = login

    async def CreateNonce(self, request: pb.CreateNonceRequest, context: Context) -> pb.CreateNonceResponse:  # type: ignore[override]
        return wire.write_nonce(await self._login.nonce(request.address))

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.LoginResponse:  # type: ignore[override]
        token, user = await self._login.login(request.address, request.signature, request.nonce)
        return wire.write_login(token, user)

    async def Logout(self, request: pb.LogoutRequest, context: Context) -> pb.LogoutResponse:  # type: ignore[override]
        principal = caller().principal
        if principal is not None:
            await self._login.logout(principal.address)
        return pb.LogoutResponse(status="logged out")
