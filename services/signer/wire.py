"""SignerService's messages and what they mean here."""

import re
from datetime import UTC

from polycopy.common.v1 import trade_pb2
from polycopy.signer.v1 import signer_pb2 as pb

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side
from services.common.rpc.errors import InvalidArgument, SignerPolicy, WalletHalted
from services.signer.desk import Desk, Halted, Order, Refused

LONGEST_ID = 200
_SIDES = {trade_pb2.SIDE_BUY: Side.BUY, trade_pb2.SIDE_SELL: Side.SELL}
_ADDRESS, _BYTES32, _TOKEN = r"0x[0-9a-fA-F]{40}", r"0x[0-9a-fA-F]{64}", r"[0-9]{1,78}"
_MOST_UINT256 = 2**256 - 1


def read_order(request: pb.SignOrderRequest) -> Order:
    """A stored intent. Raises `InvalidArgument` naming the field."""
    copy_id = request.copy_id
    if not 0 < len(copy_id) <= LONGEST_ID:
        raise InvalidArgument("copy_id", f"1 to {LONGEST_ID} characters")
    if not request.HasField("deadline_at"):
        raise InvalidArgument("deadline_at", "an instant")
    try:
        deadline = request.deadline_at.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument("deadline_at", "an instant") from None
    order_hash = _text("order_hash", request.order_hash, _BYTES32, "32 bytes as 0x-hex")
    return Order(copy_id, request.generation, order_hash, _fields(request.order), deadline)


def read_wallet(text: str, *, or_all: bool = False) -> str:
    """An address; empty where all may be meant."""
    return text if or_all and not text else _text("wallet", text, _ADDRESS, "an address")


def write_status(desk: Desk) -> pb.GetStatusResponse:
    """Every wallet with its halts."""
    return pb.GetStatusResponse(
        wallets=[
            pb.WalletStatus(
                wallet=held.wallet if held else wallet,
                key=held.signer.address if held else "",
                signature_type=held.rules.signature_type if held else 0,
                halted_by=desk.halted_by(wallet),
            )
            for wallet, held in desk.held.items()
        ]
    )


def refusal(error: Refused) -> SignerPolicy:
    """What the caller is told of a refusal."""
    return SignerPolicy(error.denied.rule, error.denied.observed, error.denied.limit)


def halted(error: Halted) -> WalletHalted:
    """The same of a halt."""
    return WalletHalted(error.by)


def _fields(order: pb.Order) -> OrderFields:
    if order.side not in _SIDES:
        raise InvalidArgument("order.side", "SIDE_BUY or SIDE_SELL")
    token = _text("order.token_id", order.token_id, _TOKEN, "a decimal uint256")
    if int(token) > _MOST_UINT256:
        raise InvalidArgument("order.token_id", "a decimal uint256")
    return OrderFields(
        salt=order.salt,
        maker=_text("order.maker", order.maker, _ADDRESS, "an address"),
        signer=_text("order.signer", order.signer, _ADDRESS, "an address"),
        token_id=token,
        maker_amount=order.maker_amount_micros,
        taker_amount=order.taker_amount_micros,
        side=_SIDES[order.side],
        signature_type=order.signature_type,
        timestamp_ms=order.timestamp_ms,
        metadata=_text("order.metadata", order.metadata, _BYTES32, "32 bytes as 0x-hex"),
        builder=_text("order.builder", order.builder, _BYTES32, "32 bytes as 0x-hex"),
        chain_id=order.chain_id,
        exchange=_text("order.exchange", order.exchange, _ADDRESS, "an address"),
        domain_version=_text("order.domain_version", order.domain_version, r"[0-9]{1,3}", "a number"),
    )


def _text(field: str, text: str, pattern: str, expected: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise InvalidArgument(field, expected)
    return text
