"""Setting the local chain up over JSON-RPC: money, approvals, markets, sets of shares; and reading balances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from services.venue.approvals import UNLIMITED, granting
from services.venue.conditions import (
    Condition,
    Send,
    known_by_id,
    merging,
    movers,
    preparing,
    preparing_market,
    redeeming,
    redeeming_for,
    resolving,
    spenders,
    splitting,
    standard,
)
from services.venue.contracts import MOST_IDS, STANDARD, Contract, tokens_of
from services.venue.node import addresses, calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Call, Node
from services.venue.node.reasons import reason

GAS_MONEY_WEI = 10 * 10**18

_MINT: Signature = ("mint", ("address", "uint256"))
_APPROVE: Signature = ("approve", ("address", "uint256"))
_APPROVE_ALL: Signature = ("setApprovalForAll", ("address", "bool"))
_TRANSFER_TOKEN: Signature = ("safeTransferFrom", ("address", "address", "uint256", "uint256", "bytes"))
_COLLATERAL_BALANCE: Signature = ("balanceOf", ("address",))
_TOKEN_BALANCE: Signature = ("balanceOf", ("address", "uint256"))
_ALLOWANCE: Signature = ("allowance", ("address", "address"))
_IS_APPROVED: Signature = ("isApprovedForAll", ("address", "address"))
_IS_PAUSED: Signature = ("isUserPaused", ("address",))
_TOKEN_BALANCES: Signature = ("balanceOfBatch", ("address[]", "uint256[]"))


class ChainRefused(Exception):
    """A set-up transaction was mined and reverted; the text names the reason."""


@dataclass(frozen=True, slots=True)
class Funding:
    """Money for one wallet, and whether it may trade with it at once: on which contracts, or (None) set up for everything."""

    address: str
    usdc_micros: int
    approve: bool = True
    contracts: tuple[Contract, ...] | None = (STANDARD,)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a wallet has at a block: cash, what each exchange may take of it, which exchanges may move its shares, shares by token,
    and which exchanges it has told to settle nothing of its orders."""

    block: int
    cash_micros: int
    allowances: dict[Contract, int]
    approved: frozenset[Contract]
    tokens: dict[str, int]
    paused: frozenset[Contract]


class Bank:
    """Every writing method returns when its transactions are mined; it asks for a block rather than wait for one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._conditions: dict[str, Condition] = {}

    async def fund(self, address: str, usdc_micros: int, *, approve: bool = True) -> None:
        """Mints pUSD and gas money for a wallet, and grants for it what an account that is set up has granted."""
        await self.fund_many([Funding(address, usdc_micros, approve, None)])

    async def fund_many(self, fundings: Iterable[Funding]) -> None:
        """Funds all wallets in one block."""
        wanted = list(fundings)
        gas: list[Call] = [("evm_setBalance", [funding.address, hex(GAS_MONEY_WEI)]) for funding in wanted]
        await self._node.batch(gas)
        await self.send([send for funding in wanted for send in _funding(funding)])

    async def create_market(self, question_id: bytes) -> tuple[str, int, int]:
        """Prepares a condition: its id, the yes token's id and the no token's."""
        (created,) = await self.create_markets([question_id])
        return created

    async def create_markets(self, question_ids: Sequence[bytes]) -> list[tuple[str, int, int]]:
        """Prepares many conditions in one block."""
        created = await self.prepare([standard(question) for question in question_ids])
        return [(one.condition_id, *one.tokens) for one in created]

    async def prepare(self, conditions: Sequence[Condition], *metadata: bytes) -> list[Condition]:
        """Prepares conditions of any kind in one block, the neg-risk markets of this metadata before them."""
        await self.send([*map(preparing_market, metadata), *map(preparing, conditions)])
        self._conditions |= {one.condition_id: one for one in conditions}
        return list(conditions)

    async def split(self, address: str, condition: str, amount_micros: int) -> None:
        """Turns the wallet's pUSD into as many yes and no shares."""
        await self.split_many([(address, condition, amount_micros)])

    async def split_many(self, splits: Iterable[tuple[str, str, int]]) -> None:
        """(wallet, condition, micros) of each split, all in one block."""
        await self.send([splitting(wallet, self._known(condition), micros) for wallet, condition, micros in splits])

    async def merge(self, address: str, condition: str, amount_micros: int) -> None:
        """Turns equal numbers of yes and no shares back into pUSD."""
        await self.send([merging(address, self._known(condition), amount_micros)])

    async def redeem(self, address: str, condition: str) -> None:
        """Turns all of the wallet's shares of a resolved condition into what they pay."""
        known = self._known(condition)
        held = [await self.token_balance(address, token) for token in known.tokens]
        await self.send(redeeming(address, known, held))

    async def redeem_for_all(self, wallets: Sequence[str], condition: str) -> list[str]:
        """The same without their doing, in one block, for each of these wallets that holds any of it and has approved the auto-redeemer:
        those."""
        known = self._known(condition)
        asked = [
            [
                calldata.write(_IS_APPROVED, wallet, addresses.AUTO_REDEEMER),
                *(calldata.write(_TOKEN_BALANCE, wallet, token) for token in known.tokens),
            ]
            for wallet in wallets
        ]
        calls: list[Call] = [
            ("eth_call", [{"to": known.contract.tokens, "data": data}, "latest"]) for one in asked for data in one
        ]
        answers = [calldata.read(["uint256"], one)[0] for one in await self._node.batch(calls)]
        each = zip(wallets, answers[::3], answers[1::3], answers[2::3], strict=True)
        due = [wallet for wallet, approved, yes, no in each if approved and yes + no]
        await self.send([redeeming_for(wallet, known) for wallet in due])
        return due

    async def transfer(self, sender: str, receiver: str, token_id: int, amount_micros: int) -> None:
        """Moves shares between wallets, outside the exchange."""
        moved = calldata.write(_TRANSFER_TOKEN, sender, receiver, token_id, amount_micros, b"")
        await self.send([Send(sender, tokens_of(token_id), moved)])

    async def resolve(self, condition: str, payouts: Sequence[int]) -> None:
        """Reports payouts (yes, no) of a condition that this bank prepared; KeyError for any other, ValueError for payouts that the
        condition cannot have."""
        await self.send([resolving(self._conditions[condition], payouts)])

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
            *((one.exchange, "bool", calldata.write(_IS_PAUSED, wallet)) for one in contracts),
            *((to, "uint256[]", calldata.write(_TOKEN_BALANCES, [wallet] * len(ids), ids)) for to, ids in batches),
        ]
        answers = await self._node.batch(
            [("eth_call", [{"to": to, "data": data}, hex(block)]) for to, _kind, data in asked]
        )
        read = iter([calldata.read([kind], answer)[0] for (_, kind, _), answer in zip(asked, answers, strict=True)])
        cash = next(read)
        allowed, approved, paused = ([next(read) for _ in contracts] for _ in range(3))
        held = {
            str(token): micros
            for (_, ids), balances in zip(batches, read, strict=True)
            for token, micros in zip(ids, balances, strict=True)
        }
        return Holdings(
            block,
            cash,
            dict(zip(contracts, allowed, strict=True)),
            frozenset(one for one, yes in zip(contracts, approved, strict=True) if yes),
            held,
            frozenset(one for one, yes in zip(contracts, paused, strict=True) if yes),
        )

    def _known(self, condition: str) -> Condition:
        return self._conditions.get(condition) or known_by_id(condition)

    async def _read(self, to: str, kind: str, data: str, block: int | str) -> int:
        tag = hex(block) if isinstance(block, int) else block
        answer = await self._node.call("eth_call", {"to": to, "data": data}, tag)
        return calldata.read([kind], answer)[0]

    async def send(self, sends: Sequence[Send]) -> None:
        """Sends transactions and asks for their block. Raises ChainRefused where one is reverted."""
        hashes = await self._node.batch([_sending(send) for send in sends])
        if not hashes:
            return
        await self._node.call("evm_mine")
        for receipt in await self._node.batch([("eth_getTransactionReceipt", [sent]) for sent in hashes]):
            _require_ok(receipt)


def _funding(funding: Funding) -> list[Send]:
    wallet = funding.address
    sends = [Send(addresses.ADMIN, addresses.COLLATERAL, calldata.write(_MINT, wallet, funding.usdc_micros))]
    if funding.contracts is None and funding.approve:
        return [*sends, *granting(wallet)]
    for contract in (funding.contracts or ()) if funding.approve else ():
        sends += [
            Send(wallet, contract.collateral, calldata.write(_APPROVE, one, UNLIMITED)) for one in spenders(contract)
        ]
        sends += [Send(wallet, contract.tokens, calldata.write(_APPROVE_ALL, one, True)) for one in movers(contract)]
    return sends


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
