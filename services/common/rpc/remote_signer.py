"""The signer as a service of the mesh: the key is in its process, and a certificate of ours opens it."""

from collections.abc import Awaitable
from typing import NoReturn, TypeVar

import grpc
from grpc import aio
from polycopy.common.v1 import trade_pb2
from polycopy.signer.v1 import signer_pb2 as pb
from polycopy.signer.v1 import signer_pb2_grpc

from services.common.domain.intent import Intent, OrderFields
from services.common.domain.market import Side
from services.common.ports.signer import SignerAway, SignerHalted, SignerRefused, SignerStanding
from services.common.rpc.errors import error_info
from services.common.rpc.messages import write_instant

SIGNER = "polycopy.signer.v1.SignerService"
SIGN_S = 0.8
"""An order is sent within a second of its journaling, or not at all: a signature that comes later is of no use."""

ASK_S = 1.0
HALT_S = 0.5
AUTH_S = 2.0

T = TypeVar("T")

_SIDES = {Side.BUY: trade_pb2.SIDE_BUY, Side.SELL: trade_pb2.SIDE_SELL}
_UNREACHED = frozenset({
    grpc.ChannelConnectivity.CONNECTING,
    grpc.ChannelConnectivity.TRANSIENT_FAILURE,
    grpc.ChannelConnectivity.SHUTDOWN,
})  # fmt: skip
_WILL_NOT = frozenset({
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
})  # fmt: skip


class SignerConnection:
    """One channel to the signer, for all wallets of a process; also `Halts`."""

    def __init__(self, channel: aio.Channel) -> None:
        self._channel = channel
        self.stub = signer_pb2_grpc.SignerServiceStub(channel)

    async def close(self) -> None:
        await self._channel.close()

    @property
    def at_hand(self) -> bool:
        """The connection stands, or nothing speaks against it. A process that ends takes it along at once."""
        return self._channel.get_state(try_to_connect=True) not in _UNREACHED

    async def status(self) -> dict[str, pb.WalletStatus]:
        """Every wallet that the signer holds, by its lower-case address. Raises `SignerRefused`."""
        answer = await answered(self.stub.GetStatus(pb.GetStatusRequest(), timeout=ASK_S))
        return {one.wallet.lower(): one for one in answer.wallets}

    async def halt(self, wallet: str) -> None:
        await answered(self.stub.Halt(pb.HaltRequest(wallet=wallet), timeout=HALT_S))

    async def resume(self, wallet: str) -> None:
        await answered(self.stub.Resume(pb.ResumeRequest(wallet=wallet), timeout=ASK_S))


class RemoteSigner:
    """`Signer` of one wallet, whose key is known by its address alone."""

    def __init__(self, connection: SignerConnection, wallet: str, key: str) -> None:
        self._signer = connection
        self._wallet = wallet
        self._key = key

    @property
    def address(self) -> str:
        return self._key

    @property
    def at_hand(self) -> bool:
        return self._signer.at_hand

    async def standing(self) -> SignerStanding:
        try:
            held = (await self._signer.status()).get(self._wallet.lower())
        except SignerRefused:
            return SignerStanding.AWAY
        if held is None:
            return SignerStanding.UNKNOWN_WALLET
        if not held.key:
            return SignerStanding.AWAY
        if held.key.lower() != self._key.lower():
            return SignerStanding.OTHER_KEY
        return SignerStanding.HALTED if held.halted_by else SignerStanding.READY

    async def sign_intent(self, copy_id: str, intent: Intent) -> str:
        request = write_intent(copy_id, intent)
        return (await answered(self._signer.stub.SignOrder(request, timeout=SIGN_S))).signature

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        try:
            request = pb.SignAuthRequest(wallet=self._wallet, timestamp_s=timestamp, nonce=nonce)
        except ValueError as error:
            raise SignerRefused(str(error)) from error
        return (await answered(self._signer.stub.SignAuth(request, timeout=AUTH_S))).signature


def write_intent(copy_id: str, intent: Intent) -> pb.SignOrderRequest:
    """A stored intent. Raises `SignerRefused` where a figure does not fit its field: no such order is ever signed."""
    try:
        return pb.SignOrderRequest(
            copy_id=copy_id,
            generation=intent.generation,
            order_hash=intent.order_hash,
            order=_order(intent.fields),
            deadline_at=write_instant(intent.deadline_at),
        )
    except ValueError as error:
        raise SignerRefused(str(error)) from error


def _order(fields: OrderFields) -> pb.Order:
    return pb.Order(
        salt=fields.salt,
        maker=fields.maker,
        signer=fields.signer,
        token_id=fields.token_id,
        maker_amount_micros=fields.maker_amount,
        taker_amount_micros=fields.taker_amount,
        side=_SIDES[fields.side],
        signature_type=fields.signature_type,
        timestamp_ms=fields.timestamp_ms,
        metadata=fields.metadata,
        builder=fields.builder,
        chain_id=fields.chain_id,
        exchange=fields.exchange,
        domain_version=fields.domain_version,
    )


async def answered(call: Awaitable[T]) -> T:
    """The signer's answer. Raises `SignerHalted`, `SignerRefused` and `SignerAway`."""
    try:
        return await call
    except aio.AioRpcError as error:
        _failed(error)


def _failed(error: aio.AioRpcError) -> NoReturn:
    text = error.details() or error.code().name
    info = error_info(dict(error.trailing_metadata() or ()))
    if info is not None and info[0] == "SIGNER_HALTED":
        raise SignerHalted(text) from error
    if error.code() in _WILL_NOT:
        raise SignerRefused(text) from error
    raise SignerAway(f"the signer: {text}") from error
