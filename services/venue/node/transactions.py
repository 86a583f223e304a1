"""Transactions on their way in: decoded from their signed bytes, or made for an account that the node plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from eth.abc import SignedTransactionAPI
from eth.exceptions import PyEVMError
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # pyright: ignore[reportMissingTypeStubs]

from services.venue.node.addresses import CHAIN_ID
from services.venue.node.block import Transaction
from services.venue.node.errors import Refused

BLOB_KIND = 3


@dataclass(frozen=True, slots=True)
class Admitted:
    """A transaction as the chain shows it, and as the EVM executes it."""

    shown: Transaction
    executable: SignedTransactionAPI
    impersonated: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What eth_sendTransaction asks for; the node fills in the rest, the nonce too where it is None."""

    sender: bytes
    to: bytes
    data: bytes
    value: int
    gas: int
    nonce: int | None = None


def decode_raw(raw: bytes) -> Admitted:
    """Reads signed bytes; Refused when they are no valid transaction of this chain."""
    if raw[:1] == bytes([BLOB_KIND]):
        raise Refused("transaction type not supported")
    try:
        transaction = CancunTransactionBuilder.decode(raw)
        transaction.validate()
        sender = bytes(transaction.sender)
    except (PyEVMError, ValidationError, RLPException, ValueError, TypeError, IndexError) as error:
        raise Refused(f"invalid transaction: {error}") from error
    if transaction.chain_id != CHAIN_ID:
        raise Refused(f"invalid chain id for signer: have {transaction.chain_id} want {CHAIN_ID}")
    return Admitted(_shown(transaction, sender), transaction, impersonated=False)


def impersonate(request: Request, nonce: int, gas_price: int) -> Admitted:
    """Makes a transaction without a signature: s and r say whose it would have been. Refused with too little gas to begin."""
    unsigned = CancunTransactionBuilder.new_transaction(
        nonce=nonce,
        gas_price=gas_price,
        gas=request.gas,
        to=cast("Any", request.to),
        value=request.value,
        data=request.data,
        v=CHAIN_ID * 2 + 35,
        r=int.from_bytes(request.sender, "big") or 1,
        s=1,
    )
    if request.gas < unsigned.intrinsic_gas:
        raise Refused(f"intrinsic gas too low: gas {request.gas}, minimum needed {unsigned.intrinsic_gas}")
    overrides: dict[str, Any] = {
        "sender": request.sender,
        "get_sender": lambda: request.sender,
        "validate": lambda: None,
    }
    executable = cast("SignedTransactionAPI", SpoofTransaction(unsigned, **overrides))
    return Admitted(_shown(unsigned, request.sender), executable, impersonated=True)


def repriced(admitted: Admitted) -> Admitted:
    """The same with a higher fee, as a sender replaces what does not get mined. Refused where the sender would have to sign it."""
    shown = admitted.shown
    if not admitted.impersonated:
        raise Refused("only an unsigned transaction can be replaced")
    request = Request(shown.sender, shown.to, shown.data, shown.value, shown.gas)
    return impersonate(request, shown.nonce, shown.gas_price + shown.gas_price // 10)


def _shown(transaction: SignedTransactionAPI, sender: bytes) -> Transaction:
    return Transaction(
        hash=bytes(transaction.hash),
        sender=sender,
        to=bytes(transaction.to),
        nonce=transaction.nonce,
        gas=transaction.gas,
        gas_price=transaction.max_fee_per_gas,
        max_fee=transaction.max_fee_per_gas,
        max_priority_fee=transaction.max_priority_fee_per_gas,
        value=transaction.value,
        data=bytes(transaction.data),
        kind=transaction.type_id or 0,
        signature=(_recovery(transaction), transaction.r, transaction.s),
    )


def _recovery(transaction: SignedTransactionAPI) -> int:
    return transaction.y_parity if transaction.type_id else cast("int", getattr(transaction, "v", 27))
