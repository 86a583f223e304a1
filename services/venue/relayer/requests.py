"""The bodies of `POST /submit`: a wallet to be made, or what a wallet is to do, as its owner signed it."""

from __future__ import annotations

from dataclasses import dataclass

from services.venue.accounts import Account, Kind, account_of
from services.venue.derive import DEPOSIT_FACTORY, PROXY_FACTORY, SAFE_FACTORY
from services.venue.node import addresses, calldata
from services.venue.refusals import Refusal
from services.venue.relayer.digests import (
    RelayTerms,
    SafeTransaction,
    WalletCall,
    batch_digest,
    creation_digest,
    relay_digest,
    safe_digest,
    shown,
)
from services.venue.relayer.fields import Fields, invalid
from services.venue.signing import signer

# What the local wallet contracts take at most.
MOST_CALLS = 32
MOST_CALL_BYTES = 1_024
MOST_SAFE_BYTES = 32_768
MOST_PROXY_BYTES = 40_960
MOST_METADATA = 500
MOST_SIGNATURE_BYTES = 1_024
# A Safe's owner who signed the shown message, not the hash itself, says so by this much in v.
SHOWN = 4

_EXECUTE = ("execute", ("(address,uint256,uint256,(address,uint256,bytes)[])", "bytes"))
_SAFE_TYPES = ("address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address", "bytes")
_EXEC_TRANSACTION = ("execTransaction", _SAFE_TYPES)
_RELAY = ("relay", ("bytes", "uint256", "uint256", "uint256", "uint256", "bytes"))


@dataclass(frozen=True, slots=True)
class Creation:
    """A signer's wallet of one kind is to be deployed."""

    owner: str
    wallet: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Errand:
    """What a wallet is to do: `data` is the call of the wallet that does it, under the wallet's `nonce`, and before `deadline`
    (seconds; 0: any time)."""

    owner: str
    wallet: str
    kind: Kind
    nonce: int
    data: str
    deadline: int = 0


def read_submission(body: object) -> Creation | Errand:
    """What is asked for, and signed by whom it says. Raises `Refusal`."""
    fields = Fields.of(body)
    account = account_of(fields.address("from"))
    if len(fields.text("metadata") if "metadata" in fields.values else "") > MOST_METADATA:
        raise invalid("metadata")
    match fields.text("type"):
        case "WALLET-CREATE":
            _require(fields, "to", DEPOSIT_FACTORY)
            return Creation(account.signer, account.deposits[0], Kind.DEPOSIT)
        case "SAFE-CREATE":
            return _safe_creation(fields, account)
        case "WALLET":
            return _batch(fields, account)
        case "SAFE":
            return _safe(fields, account)
        case "PROXY":
            return _proxied(fields, account)
        case _:
            raise Refusal("invalid transaction type")


def _safe_creation(fields: Fields, account: Account) -> Creation:
    _require(fields, "to", SAFE_FACTORY)
    terms, signature = fields.inner("signatureParams"), fields.data("signature", MOST_SIGNATURE_BYTES)
    payment = terms.address("paymentToken"), terms.whole("payment"), terms.address("paymentReceiver")
    _require_owner(account, fields.address("proxyWallet"), Kind.SAFE)
    _require_signed(account, creation_digest(*payment), signature)
    return Creation(account.signer, account.safe, Kind.SAFE)


def _batch(fields: Fields, account: Account) -> Errand:
    _require(fields, "to", DEPOSIT_FACTORY)
    wanted = fields.inner("depositWalletParams")
    wallet, nonce, deadline = wanted.address("depositWallet"), fields.whole("nonce"), wanted.whole("deadline")
    calls = [
        WalletCall(one.address("target"), one.whole("value"), one.data("data", MOST_CALL_BYTES))
        for one in wanted.items("calls", MOST_CALLS)
    ]
    signature = fields.data("signature", MOST_SIGNATURE_BYTES)
    _require_owner(account, wallet, Kind.DEPOSIT)
    _require_signed(account, batch_digest(wallet, nonce, deadline, calls), signature)
    listed = [(one.target, one.value, one.data) for one in calls]
    data = calldata.write(_EXECUTE, (wallet, nonce, deadline, listed), signature)
    return Errand(account.signer, wallet, Kind.DEPOSIT, nonce, data, deadline)


def _safe(fields: Fields, account: Account) -> Errand:
    terms, safe, nonce = fields.inner("signatureParams"), fields.address("proxyWallet"), fields.whole("nonce")
    wanted = SafeTransaction(
        to=fields.address("to"),
        value=fields.whole("value") if "value" in fields.values else 0,
        data=fields.data("data", MOST_SAFE_BYTES),
        operation=terms.whole("operation", 1),
        safe_gas=terms.whole("safeTxnGas"),
        base_gas=terms.whole("baseGas"),
        gas_price=terms.whole("gasPrice"),
        gas_token=terms.address("gasToken"),
        refund_receiver=terms.address("refundReceiver"),
    )
    signature = fields.data("signature", MOST_SIGNATURE_BYTES)
    _require_owner(account, safe, Kind.SAFE)
    digest = safe_digest(safe, nonce, wanted)
    if len(signature) == 65 and signature[64] > 30:
        _require_signed(account, shown(digest), signature[:64] + bytes([signature[64] - SHOWN]))
    else:
        _require_signed(account, digest, signature)
    amounts = (wanted.safe_gas, wanted.base_gas, wanted.gas_price)
    data = calldata.write(
        _EXEC_TRANSACTION,
        *(wanted.to, wanted.value, wanted.data, wanted.operation),
        *(*amounts, wanted.gas_token, wanted.refund_receiver, signature),
    )
    return Errand(account.signer, safe, Kind.SAFE, nonce, data)


def _proxied(fields: Fields, account: Account) -> Errand:
    _require(fields, "to", PROXY_FACTORY)
    terms, wallet, nonce = fields.inner("signatureParams"), fields.address("proxyWallet"), fields.whole("nonce")
    _require(terms, "relay", addresses.RELAYER)
    _require(terms, "relayHub", addresses.RELAY_HUB)
    asked = RelayTerms(terms.whole("relayerFee"), terms.whole("gasPrice"), terms.whole("gasLimit"))
    relayed, signature = fields.data("data", MOST_PROXY_BYTES), fields.data("signature", MOST_SIGNATURE_BYTES)
    _require_owner(account, wallet, Kind.PROXY)
    _require_signed(account, relay_digest(account.signer, relayed, asked, nonce), signature)
    data = calldata.write(_RELAY, relayed, asked.fee, asked.gas_price, asked.gas_limit, nonce, signature)
    return Errand(account.signer, wallet, Kind.PROXY, nonce, data)


def _require(fields: Fields, name: str, address: str) -> None:
    if fields.address(name).lower() != address.lower():
        raise invalid(name)


def _require_owner(account: Account, wallet: str, kind: Kind) -> None:
    if wallet not in account.wallets(kind):
        raise Refusal("wallet does not belong to the signer")


def _require_signed(account: Account, digest: bytes, signature: bytes) -> None:
    if signer(digest, signature) != account.signer:
        raise Refusal("invalid signature")
