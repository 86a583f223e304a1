"""The chain adapter against a real EVM: the same figures that the contracts hold."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from services.common.chain import decode
from services.common.chain.web3_chain import Web3Chain
from services.common.domain.fill import Fill, Position, TradeStatus
from services.common.domain.market import Side
from services.common.polymarket.environment import PRODUCTION
from services.common.ports.chain import ChainUnavailable
from services.common.store.memory import MemoryStores
from services.monitor.detect import movements
from services.reconciler.redemptions import Redemption, Redemptions
from services.venue.bank import Bank, Funding
from services.venue.node import addresses
from services.venue.node.client import Node
from services.venue.settlement import Settlement
from tests.builders import an_account
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL, SHARE, USDC, a_match, an_order, node_process

LEADER = Account.from_key(keccak(text="chain leader"))
OTHER = Account.from_key(keccak(text="chain other"))


@pytest.fixture(scope="module")
def url():
    with node_process("--block-ms", "150") as url:
        yield url


@dataclass
class Scene:
    chain: Web3Chain
    node: Node
    bank: Bank
    condition: str
    yes: int

    async def fill(self, side: int, shares: int, salt: int) -> str:
        """The leader takes `shares` at 0.50 from the other, or gives them; the transaction."""
        taker = an_order(LEADER, side, self.yes, shares, 500_000, salt=salt)
        maker = an_order(OTHER, SELL if side == BUY else BUY, self.yes, shares, 500_000, salt=salt)
        settlement = Settlement(self.node, addresses.OPERATOR)
        tx_hash = await settlement.submit(a_match(taker, maker, match_id=f"m{salt}", condition_id=self.condition))
        await self.node.call("evm_mine")
        await settlement.close()
        return tx_hash


@pytest.fixture
async def scene(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    endpoints = replace(PRODUCTION, rpc_url=url, rpc_ws_url=url.replace("http", "ws"))
    chain = Web3Chain(endpoints)
    async with Node(url) as node:
        bank = Bank(node)
        condition, yes, _ = await bank.create_market(keccak(text=request.node.name))
        await bank.fund_many([Funding(LEADER.address, 1_000 * USDC, True), Funding(OTHER.address, 1_000 * USDC, True)])
        await bank.split(OTHER.address, condition, 100 * SHARE)
        yield Scene(chain, node, bank, condition, yes)
    await chain.close()


async def test_a_receipt_holds_the_fills_and_the_transfers(scene: Scene) -> None:
    tx_hash = await scene.fill(BUY, 10 * SHARE, 1)

    receipt = await scene.chain.receipt(tx_hash)

    assert receipt is not None
    assert receipt.ok
    mine = [fill for fill in receipt.fills if fill.maker == LEADER.address.lower()]
    assert [(fill.side, fill.token_id, fill.shares_micros, fill.usdc_micros) for fill in mine] == [
        (Side.BUY, str(scene.yes), 10 * SHARE, 5 * USDC)
    ]
    assert mine[0].taker == mine[0].exchange
    assert (
        sum(move.shares_micros for move in receipt.transfers if move.receiver == LEADER.address.lower()) == 10 * SHARE
    )


async def test_a_receipt_is_of_its_blocks_time_whether_the_node_says_it_with_the_logs_or_not(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    tx_hash = await scene.fill(BUY, SHARE, 6)
    told = await scene.chain.receipt(tx_hash)
    monkeypatch.setattr(decode, "block_time", lambda _: None)
    asked = await scene.chain.receipt(tx_hash)

    assert told is not None
    assert told == asked


async def test_a_transaction_that_is_not_mined_has_no_receipt(scene: Scene) -> None:
    assert await scene.chain.receipt("0x" + "9" * 64) is None


async def test_balances_are_read_now_and_at_earlier_blocks(scene: Scene) -> None:
    receipt = await scene.chain.receipt(await scene.fill(BUY, 10 * SHARE, 2))
    assert receipt is not None
    await scene.fill(SELL, 4 * SHARE, 3)

    wallet, token = LEADER.address, str(scene.yes)
    before = await scene.chain.token_balance(wallet, token, receipt.block_number - 1)
    after = await scene.chain.token_balance(wallet, token, receipt.block_number)

    assert (before, after, await scene.chain.token_balance(wallet, token)) == (0, 10 * SHARE, 6 * SHARE)


async def test_fills_are_found_by_maker_and_by_order_and_transfers_by_block(scene: Scene) -> None:
    receipt = await scene.chain.receipt(await scene.fill(BUY, 10 * SHARE, 4))
    assert receipt is not None
    here = receipt.block_number

    by_maker = await scene.chain.fills_of([LEADER.address.lower()], here, here)
    by_order = await scene.chain.fills_of_order(by_maker[0].fill.order_hash, here)
    moved = await scene.chain.transfers(LEADER.address, str(scene.yes), here, here)
    status = await scene.chain.order_status(PRODUCTION.exchange_address, by_maker[0].fill.order_hash)

    assert by_maker == by_order
    assert [transfer.shares_micros for transfer in moved] == [10 * SHARE]
    assert (status.filled, status.remaining) == (True, 0)


async def test_the_head_tells_what_is_final(scene: Scene) -> None:
    head = await scene.chain.head()

    assert head.chain_id == 137
    assert head.number - 3 <= head.finalized < head.number


async def test_fills_and_what_is_given_away_arrive_by_subscription(scene: Scene) -> None:
    live = scene.chain.subscribe([LEADER.address.lower()])
    coming = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0.5)

    tx_hash = await scene.fill(BUY, 10 * SHARE, 5)
    async with asyncio.timeout(PATIENT_S):
        seen = await coming
    assert (seen.tx_hash, seen.wallet, seen.removed) == (tx_hash, LEADER.address.lower(), False)
    assert seen.block_at is not None

    await scene.bank.transfer(LEADER.address, OTHER.address, scene.yes, 3 * SHARE)
    async with asyncio.timeout(PATIENT_S):
        moved = await scene.chain.receipt((await anext(live)).tx_hash)
    assert moved is not None
    assert [(move.sender, move.shares_micros) for move in moved.transfers] == [(LEADER.address.lower(), 3 * SHARE)]


async def test_merges_transfers_and_payouts_are_sighted_and_only_the_last_is_redeemed(scene: Scene) -> None:
    wallet, before = LEADER.address, (await scene.chain.head()).number
    await scene.bank.split(wallet, scene.condition, 30 * SHARE)
    await scene.bank.transfer(wallet, OTHER.address, scene.yes, 5 * SHARE)
    await scene.bank.merge(wallet, scene.condition, 10 * SHARE)
    await scene.bank.resolve(scene.condition, [1, 0])
    await scene.bank.redeem(wallet, scene.condition)
    head = (await scene.chain.head()).number

    seen = await scene.chain.sightings_of([wallet.lower()], before + 1, head)
    receipts = [await scene.chain.receipt(one.tx_hash) for one in seen]

    lost = [
        (moved.shares_micros // SHARE, sorted(receipt.redeemed))
        for receipt in receipts
        if receipt is not None
        for moved in movements(receipt, {wallet.lower()}, 137)
        if moved.token_id == str(scene.yes)
    ]
    assert lost == [(5, []), (10, []), (15, [scene.condition])]
    moves = await scene.chain.transfers(wallet, str(scene.yes), before + 1, head)
    there = sum(move.shares_micros for move in moves if move.receiver == wallet.lower())
    gone = sum(move.shares_micros for move in moves if move.sender == wallet.lower())
    assert (there, gone) == (30 * SHARE, 30 * SHARE)
    paid = await paid_out(scene, wallet, before + 1, head)
    assert [(one.tx_hash, one.shares_micros) for one in paid] == [(seen[-1].tx_hash, 15 * SHARE)]


async def paid_out(scene: Scene, wallet: str, first: int, last: int) -> tuple[Redemption, ...]:
    """What the reconciler finds of the token in these blocks, its last fill being in the first."""
    now, token = datetime.now(UTC), str(scene.yes)
    account = replace(an_account(), wallet=wallet)
    stores = MemoryStores(lambda: now)
    fill = Fill(
        account.account_id,
        "t",
        "0xo",
        "c",
        scene.condition,
        token,
        Side.BUY,
        1,
        1,
        0,
        TradeStatus.CONFIRMED,
        now,
        "",
        first,
    )
    stores.database.fills[account.account_id, "t", "0xo"] = fill
    position = Position(account.account_id, wallet, token, scene.condition, 30 * SHARE, 0, 0, 0, 0, now)
    return await Redemptions(account, stores, scene.chain).of(position, last)


async def test_a_chain_that_is_away_says_so() -> None:
    away = Web3Chain(replace(PRODUCTION, rpc_url="http://127.0.0.1:9", rpc_ws_url="ws://127.0.0.1:9"))

    with pytest.raises(ChainUnavailable):
        await away.head()
    with pytest.raises(ChainUnavailable):
        await anext(away.subscribe([LEADER.address]))
    await away.close()
