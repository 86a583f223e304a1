"""A local chain for tests: in this process, or as the process that the venue runs."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from services.cli.child import free_port
from services.venue.bank import UNLIMITED
from services.venue.conditions import BINARY, NO_PARENT, condition_id, token_ids
from services.venue.contracts import STANDARD, Contract
from services.venue.node import addresses, artifacts, calldata, genesis
from services.venue.node.block import Mined
from services.venue.node.evm import BASE_FEE, Call, Chain
from services.venue.node.reasons import reason
from services.venue.node.transactions import Request, impersonate
from services.venue.onchain import Match, match_calldata
from services.venue.signed import SignedOrder
from tests.patience import PATIENT_S

ALICE: LocalAccount = Account.from_key("0x" + "a1" * 32)
BOB: LocalAccount = Account.from_key("0x" + "b0" * 32)
CAROL: LocalAccount = Account.from_key("0x" + "ca" * 32)
WALLETS = (ALICE, BOB, CAROL)
QUESTION = b"\x07" * 32
CONDITION = condition_id(QUESTION)
YES, NO = token_ids(CONDITION)
BUY, SELL = 0, 1
USDC = SHARE = 1_000_000
START = 1_790_000_000

_FIELDS = (
    ("salt", "uint256"),
    ("maker", "address"),
    ("signer", "address"),
    ("tokenId", "uint256"),
    ("makerAmount", "uint256"),
    ("takerAmount", "uint256"),
    ("side", "uint8"),
    ("signatureType", "uint8"),
    ("timestamp", "uint256"),
    ("metadata", "bytes32"),
    ("builder", "bytes32"),
)
_NAME = "Polymarket CTF Exchange"


def an_order(
    owner: LocalAccount, side: int, token: int, shares: int, price: int, salt: int = 1, contract: Contract = STANDARD
) -> SignedOrder:
    """A signed order for micro-shares at a price in millionths of a dollar."""
    cash = shares * price // 1_000_000
    return resigned(
        SignedOrder(
            salt=salt,
            maker=owner.address,
            signer=owner.address,
            token_id=token,
            maker_amount=cash if side == BUY else shares,
            taker_amount=shares if side == BUY else cash,
            side=side,
            signature_type=0,
            timestamp=0,
            metadata=bytes(32),
            builder=bytes(32),
            signature=b"",
        ),
        owner,
        contract,
    )


def resigned(order: SignedOrder, owner: LocalAccount, contract: Contract = STANDARD) -> SignedOrder:
    """The order with its owner's signature over what it now says."""
    values = (
        order.salt,
        order.maker,
        order.signer,
        order.token_id,
        order.maker_amount,
        order.taker_amount,
        order.side,
        order.signature_type,
        order.timestamp,
        order.metadata,
        order.builder,
    )
    message = dict(zip((name for name, _ in _FIELDS), values, strict=True))
    types = {"Order": [{"name": name, "type": kind} for name, kind in _FIELDS]}
    domain = {
        "name": _NAME,
        "version": contract.domain_version,
        "chainId": addresses.CHAIN_ID,
        "verifyingContract": contract.exchange,
    }
    signed = owner.sign_message(encode_typed_data(domain, types, message))
    return replace(order, signature=bytes(signed.signature))


def a_match(taker: SignedOrder, *makers: SignedOrder, **changes: Any) -> Match:
    """All orders filled whole, without fees, unless changed."""
    whole = Match(
        match_id="match",
        condition_id=CONDITION,
        taker=taker,
        makers=makers,
        taker_fill=taker.maker_amount,
        maker_fills=tuple(maker.maker_amount for maker in makers),
        taker_fee=0,
        maker_fees=(0,) * len(makers),
    )
    return replace(whole, **changes)


class Contracts:
    """The contracts on a chain in this process, with one market and three funded wallets."""

    def __init__(self, more: Sequence[genesis.Account] = ()) -> None:
        self.chain = Chain([*genesis.accounts(), *more], START)
        prepare = ("prepareCondition", ("address", "bytes32", "uint256"))
        self.must(addresses.ADMIN, addresses.CONDITIONAL_TOKENS, prepare, addresses.ORACLE, QUESTION, 2)
        for wallet in WALLETS:
            self.fund(wallet.address)

    def send(self, sender: str, to: str, signature: calldata.Signature, *arguments: Any) -> Mined:
        return self.send_data(sender, to, calldata.write(signature, *arguments))

    def send_data(self, sender: str, to: str, data: str) -> Mined:
        origin = genesis.canonical(sender)
        request = Request(origin, genesis.canonical(to), bytes.fromhex(data[2:]), 0, 15_000_000)
        return self.chain.execute(impersonate(request, self.chain.nonce(origin), BASE_FEE))

    def must(self, sender: str, to: str, signature: calldata.Signature, *arguments: Any) -> Mined:
        mined = self.send(sender, to, signature, *arguments)
        assert mined.ok, reason(mined.output)
        return mined

    def settle(self, match: Match) -> Mined:
        return self.send_data(addresses.OPERATOR, match.contract.exchange, match_calldata(match))

    def refusal(self, match: Match) -> str:
        """Why the exchange refuses a match; "" when it settles."""
        mined = self.settle(match)
        return "" if mined.ok else reason(mined.output)

    def ask(self, to: str, signature: calldata.Signature, answer: str, *arguments: Any) -> Any:
        """Reads from the open block, sealed first."""
        block = self.chain.seal(START)
        asked = bytes.fromhex(calldata.write(signature, *arguments)[2:])
        output = self.chain.call(Call(bytes(20), genesis.canonical(to), asked), block)
        return calldata.read([answer], output.hex())[0]

    def usdc(self, wallet: str) -> int:
        return self.ask(addresses.COLLATERAL, ("balanceOf", ("address",)), "uint256", wallet)

    def shares(self, wallet: str, token: int) -> int:
        return self.ask(addresses.CONDITIONAL_TOKENS, ("balanceOf", ("address", "uint256")), "uint256", wallet, token)

    def fund(self, wallet: str) -> None:
        cash, tokens = addresses.COLLATERAL, addresses.CONDITIONAL_TOKENS
        approve = ("approve", ("address", "uint256"))
        self.must(addresses.ADMIN, cash, ("mint", ("address", "uint256")), wallet, 2_000 * USDC)
        self.must(wallet, cash, approve, addresses.EXCHANGE, UNLIMITED)
        self.must(wallet, cash, approve, tokens, UNLIMITED)
        self.must(wallet, tokens, ("setApprovalForAll", ("address", "bool")), addresses.EXCHANGE, True)
        split = ("splitPosition", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
        self.must(wallet, tokens, split, cash, NO_PARENT, bytes.fromhex(CONDITION[2:]), BINARY, 1_000 * USDC)


def events(mined: Mined, name: str) -> list[dict[str, Any]]:
    """The decoded events of that name, in their order."""
    return [fields for one, fields in decoded(mined) if one == name]


def decoded(mined: Mined) -> list[tuple[str, dict[str, Any]]]:
    """Every event of a transaction by the artifacts' ABIs: (name, fields)."""
    return [(entry["name"], _fields(entry, log)) for log in mined.logs for entry in [_entry(log.topics[0])]]


def _entry(topic: bytes) -> dict[str, Any]:
    for name in artifacts.NAMES:
        for entry in artifacts.load(name).abi:
            if entry["type"] == "event" and topic0(entry) == topic:
                return entry
    raise KeyError(topic.hex())


def topic0(entry: dict[str, Any]) -> bytes:
    return keccak(text=f"{entry['name']}({','.join(one['type'] for one in entry['inputs'])})")


def _fields(entry: dict[str, Any], log: Any) -> dict[str, Any]:
    indexed = [one for one in entry["inputs"] if one["indexed"]]
    plain = [one for one in entry["inputs"] if not one["indexed"]]
    values = {
        one["name"]: calldata.read([one["type"]], topic.hex())[0]
        for one, topic in zip(indexed, log.topics[1:], strict=True)
    }
    return values | dict(
        zip((one["name"] for one in plain), calldata.read([one["type"] for one in plain], log.data.hex()), strict=True)
    )


@contextmanager
def node_process(*options: str) -> Generator[str]:
    """The node as its own process on a free port: its URL. A stop that fails, fails the test."""
    port = free_port()
    command = (sys.executable, "-m", "services.venue.node", "--port", str(port), *options)
    with tempfile.TemporaryFile() as written, subprocess.Popen(command, stderr=written) as process:
        try:
            _await_listening(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENT_S)
        written.seek(0)
        assert process.returncode == 0, written.read().decode()


def _await_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the node does not listen")
