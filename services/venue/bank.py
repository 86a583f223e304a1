"""Setting the local chain up over JSON-RPC: money, approvals, markets, sets of shares; and reading balances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_utils.crypto import keccak

from services.venue.contracts import MOST_IDS, STANDARD, Contract, tokens_of
from services.venue.node import addresses, calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Call, Node
from services.venue.node.reasons import reason

UNLIMITED = 2**256 - 1
GAS_MONEY_WEI = 10 * 10**18
NO_PARENT = b"\0" * 32
BINARY = [1, 2]
BATCH = 200

_MINT: Signature = ("mint", ("address", "uint256"))
_APPROVE: Signature = ("approve", ("address", "uint256"))
_APPROVE_ALL: Signature = ("setApprovalForAll", ("address", "bool"))
_PREPARE: Signature = ("prepareCondition", ("address", "bytes32", "uint256"))
_REPORT: Signature = ("reportPayouts", ("bytes32", "uint256[]"))
_SPLIT: Signature = ("splitPosition", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
_MERGE: Signature = ("mergePositions", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
_REDEEM: Signature = ("redeemPositions", ("address", "bytes32", "bytes32", "uint256[]"))
_TRANSFER_TOKEN: Signature = ("safeTransferFrom", ("address", "address", "uint256", "uint256", "bytes"))
_COLLATERAL_BALANCE: Signature = ("balanceOf", ("address",))
_TOKEN_BALANCE: Signature = ("balanceOf", ("address", "uint256"))
_ALLOWANCE: Signature = ("allowance", ("address", "address"))
_IS_APPROVED: Signature = ("isApprovedForAll", ("address", "address"))
_TOKEN_BALANCES: Signature = ("balanceOfBatch", ("address[]", "uint256[]"))


class ChainRefused(Exception):
    """A set-up transaction was mined and reverted; the text names the reason."""


@dataclass(frozen=True, slots=True)
class Funding:
    """Money for one wallet, and whether it may trade with it at once."""

    address: str
    usdc_micros: int
    approve: bool = True


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a wallet has at a block: cash, what each exchange may take of it, which exchanges may move its shares, shares by token."""

    block: int
    cash_micros: int
    allowances: dict[Contract, int]
    approved: frozenset[Contract]
    tokens: dict[str, int]


@dataclass(frozen=True, slots=True)
class Send:
    """One transaction of any account, unsigned."""

    sender: str
    to: str
    data: str


def condition_id(question_id: bytes, oracle: str = addresses.ORACLE) -> str:
    """The id that the conditional tokens give a binary question of an oracle, 0x…"""
    return "0x" + keccak(bytes.fromhex(oracle[2:]) + question_id + (2).to_bytes(32, "big")).hex()


def token_ids(condition: str) -> tuple[int, int]:
    """The (yes, no) positions of a condition over pUSD."""
    yes, no = (_position(bytes.fromhex(condition[2:]), index_set) for index_set in BINARY)
    return yes, no


class Bank:
    """Every writing method returns when its transactions are mined; it asks for a block rather than wait for one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._questions: dict[str, bytes] = {}

    async def fund(self, address: str, usdc_micros: int, *, approve: bool = True) -> None:
        """Mints pUSD and gas money for a wallet; approves exchange and conditional tokens for it."""
        await self.fund_many([Funding(address, usdc_micros, approve)])

    async def fund_many(self, fundings: Iterable[Funding]) -> None:
        """Funds all wallets in one block."""
        wanted = list(fundings)
        gas: list[Call] = [("evm_setBalance", [funding.address, hex(GAS_MONEY_WEI)]) for funding in wanted]
        await self._node.batch(gas)
        await self._send([send for funding in wanted for send in _funding(funding)])

    async def create_market(self, question_id: bytes) -> tuple[str, int, int]:
        """Prepares a condition: its id, the yes token's id and the no token's."""
        (created,) = await self.create_markets([question_id])
        return created

    async def create_markets(self, question_ids: Sequence[bytes]) -> list[tuple[str, int, int]]:
        """Prepares many conditions in one block."""
        prepare = [
            Send(addresses.ADMIN, addresses.CONDITIONAL_TOKENS, calldata.write(_PREPARE, addresses.ORACLE, question, 2))
            for question in question_ids
        ]
        await self._send(prepare)
        created = [(condition_id(question), *token_ids(condition_id(question))) for question in question_ids]
        self._questions |= {market[0]: question for market, question in zip(created, question_ids, strict=True)}
        return created

    async def split(self, address: str, condition: str, amount_micros: int) -> None:
        """Turns the wallet's pUSD into as many yes and no shares."""
        await self.split_many([(address, condition, amount_micros)])

    async def split_many(self, splits: Iterable[tuple[str, str, int]]) -> None:
        """(wallet, condition, micros) of each split, all in one block."""
        await self._send(
            [_tokens_send(wallet, _SPLIT, condition, BINARY, micros) for wallet, condition, micros in splits]
        )

    async def merge(self, address: str, condition: str, amount_micros: int) -> None:
        """Turns equal numbers of yes and no shares back into pUSD."""
        await self._send([_tokens_send(address, _MERGE, condition, BINARY, amount_micros)])

    async def redeem(self, address: str, condition: str) -> None:
        """Turns all of the wallet's shares of a resolved condition into what they pay."""
        await self._send([_tokens_send(address, _REDEEM, condition, BINARY)])

    async def transfer(self, sender: str, receiver: str, token_id: int, amount_micros: int) -> None:
        """Moves shares between wallets, outside the exchange."""
        moved = calldata.write(_TRANSFER_TOKEN, sender, receiver, token_id, amount_micros, b"")
        await self._send([Send(sender, tokens_of(token_id), moved)])

    async def resolve(self, condition: str, payouts: Sequence[int]) -> None:
        """Reports payouts (yes, no) of a condition that this bank created; KeyError for any other."""
        question = self._questions[condition]
        report = calldata.write(_REPORT, question, list(payouts))
        await self._send([Send(addresses.ORACLE, addresses.CONDITIONAL_TOKENS, report)])

    async def collateral_balance(self, address: str, block: int | str = "latest") -> int:
        """Micro-USDC held at a block (number or tag)."""
        return await self._read(addresses.COLLATERAL, "uint256", calldata.write(_COLLATERAL_BALANCE, address), block)

    async def token_balance(self, address: str, token_id: int, block: int | str = "latest") -> int:
        """Micro-shares held at a block (number or tag)."""
        asked = calldata.write(_TOKEN_BALANCE, address, token_id)
        return await self._read(tokens_of(token_id), "uint256", asked, block)

    async def allowance(self, owner: str, spender: str = addresses.EXCHANGE, block: int | str = "latest") -> int:
        """Micro-USDC that the spender may take from the owner."""
        return await self._read(addresses.COLLATERAL, "uint256", calldata.write(_ALLOWANCE, owner, spender), block)

    async def is_approved(self, owner: str, operator: str = addresses.EXCHANGE, block: int | str = "latest") -> bool:
        """Whether the operator may move the owner's shares."""
        asked = calldata.write(_IS_APPROVED, owner, operator)
        return bool(await self._read(addresses.CONDITIONAL_TOKENS, "bool", asked, block))

    async def holdings(
        self, wallet: str, token_ids: Sequence[str], contracts: Sequence[Contract] = (STANDARD,)
    ) -> Holdings:
        """Everything that trading on these contracts asks about a wallet, all at the latest block."""
        block = int(await self._node.call("eth_blockNumber"), 16)
        batches = list(_batches(token_ids))
        asked = [
            (addresses.COLLATERAL, "uint256", calldata.write(_COLLATERAL_BALANCE, wallet)),
            *((one.collateral, "uint256", calldata.write(_ALLOWANCE, wallet, one.exchange)) for one in contracts),
            *((one.tokens, "bool", calldata.write(_IS_APPROVED, wallet, one.exchange)) for one in contracts),
            *((to, "uint256[]", calldata.write(_TOKEN_BALANCES, [wallet] * len(ids), ids)) for to, ids in batches),
        ]
        answers = await self._node.batch(
            [("eth_call", [{"to": to, "data": data}, hex(block)]) for to, _kind, data in asked]
        )
        read = [calldata.read([kind], answer)[0] for (_, kind, _), answer in zip(asked, answers, strict=True)]
        cash, allowed, approved = (
            read[0],
            read[1 : 1 + len(contracts)],
            read[1 + len(contracts) : 1 + 2 * len(contracts)],
        )
        held = {
            str(token): micros
            for (_, ids), balances in zip(batches, read[1 + 2 * len(contracts) :], strict=True)
            for token, micros in zip(ids, balances, strict=True)
        }
        return Holdings(
            block,
            cash,
            dict(zip(contracts, allowed, strict=True)),
            frozenset(one for one, yes in zip(contracts, approved, strict=True) if yes),
            held,
        )

    async def _read(self, to: str, kind: str, data: str, block: int | str) -> int:
        tag = hex(block) if isinstance(block, int) else block
        answer = await self._node.call("eth_call", {"to": to, "data": data}, tag)
        return calldata.read([kind], answer)[0]

    async def _send(self, sends: Sequence[Send]) -> None:
        hashes: list[str] = []
        for start in range(0, len(sends), BATCH):
            hashes += await self._node.batch([_sending(send) for send in sends[start : start + BATCH]])
        if not hashes:
            return
        await self._node.call("evm_mine")
        for start in range(0, len(hashes), BATCH):
            asked: list[Call] = [("eth_getTransactionReceipt", [sent]) for sent in hashes[start : start + BATCH]]
            for receipt in await self._node.batch(asked):
                _require_ok(receipt)


def _funding(funding: Funding) -> list[Send]:
    wallet = funding.address
    sends = [Send(addresses.ADMIN, addresses.COLLATERAL, calldata.write(_MINT, wallet, funding.usdc_micros))]
    if funding.approve:
        spenders = (addresses.EXCHANGE, addresses.CONDITIONAL_TOKENS)
        sends += [Send(wallet, addresses.COLLATERAL, calldata.write(_APPROVE, one, UNLIMITED)) for one in spenders]
        everything = calldata.write(_APPROVE_ALL, addresses.EXCHANGE, True)
        sends.append(Send(wallet, addresses.CONDITIONAL_TOKENS, everything))
    return sends


def _tokens_send(wallet: str, signature: Signature, condition: str, *rest: Any) -> Send:
    data = calldata.write(signature, addresses.COLLATERAL, NO_PARENT, bytes.fromhex(condition[2:]), *rest)
    return Send(wallet, addresses.CONDITIONAL_TOKENS, data)


def _batches(token_ids: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """(contract, ids) of as many reads as it takes."""
    kept: dict[str, list[int]] = {}
    for token in token_ids:
        kept.setdefault(tokens_of(token), []).append(int(token))
    for contract, ids in kept.items():
        for start in range(0, len(ids), MOST_IDS):
            yield contract, ids[start : start + MOST_IDS]


def _sending(send: Send) -> Call:
    return "eth_sendTransaction", [{"from": send.sender, "to": send.to, "data": send.data}]


def _require_ok(receipt: Any) -> None:
    fields = cast("dict[str, Any] | None", receipt)
    if fields is None:
        raise ChainRefused("not mined")
    if int(fields["status"], 16) != 1:
        raise ChainRefused(reason(bytes.fromhex(fields["revertReason"][2:])) or "reverted")


def _position(condition: bytes, index_set: int) -> int:
    collection = keccak(condition + index_set.to_bytes(32, "big"))
    return int.from_bytes(keccak(bytes.fromhex(addresses.COLLATERAL[2:]) + collection), "big")
