"""Matches on their way through the node: mined in order, reverted by name, confirmed by depth."""

import asyncio
from dataclasses import dataclass

import httpx
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from services.venue.bank import Bank, ChainRefused, Funding
from services.venue.node import addresses
from services.venue.node.client import Node
from services.venue.onchain import Match
from services.venue.settlement import MAX_MAKERS, Settled, Settlement
from tests.patience import PATIENT_S, patiently
from tests.venue_chain import BUY, SELL, SHARE, USDC, a_match, an_order, node_process

CENTS = 10_000


@pytest.fixture(scope="module")
def url():
    with node_process("--block-ms", "150") as url:
        yield url


@dataclass(frozen=True, slots=True)
class Market:
    """A market of one test, with a buyer and a seller who holds shares."""

    node: Node
    bank: Bank
    condition: str
    yes: int
    buyer: LocalAccount
    seller: LocalAccount

    def trade(self, number: int, shares: int = 10 * SHARE) -> Match:
        buy = an_order(self.buyer, BUY, self.yes, shares, 50 * CENTS, salt=number)
        sell = an_order(self.seller, SELL, self.yes, shares, 50 * CENTS, salt=number)
        return a_match(buy, sell, match_id=f"match-{number}", condition_id=self.condition)

    async def bought(self) -> int:
        return await self.bank.token_balance(self.buyer.address, self.yes)


@pytest.fixture
async def market(url, request):
    question = keccak(text=request.node.name)
    buyer, seller = (Account.from_key(keccak(question + role)) for role in (b"buyer", b"seller"))
    async with Node(url) as node:
        bank = Bank(node)
        await bank.fund_many([Funding(one.address, 1_000 * USDC) for one in (buyer, seller)])
        condition, yes, _ = await bank.create_market(question)
        await bank.split(seller.address, condition, 1_000 * USDC)
        yield Market(node, bank, condition, yes, buyer, seller)


@pytest.fixture
async def settlement(market):
    one = Settlement(market.node, addresses.OPERATOR)
    running = asyncio.create_task(one.run())
    yield one
    await one.close()
    await patiently(running)


class Reports(list[Settled]):
    """What a settlement reported; `add` is its callback."""

    def __init__(self) -> None:
        self._grown = asyncio.Event()

    def add(self, settled: Settled) -> None:
        self.append(settled)
        self._grown.set()

    async def reach(self, count: int) -> list[Settled]:
        async with asyncio.timeout(PATIENT_S):
            while len(self) < count:
                self._grown.clear()
                await self._grown.wait()
        return list(self)


@pytest.fixture
def mined(settlement) -> Reports:
    reports = Reports()
    settlement.on_mined(reports.add)
    return reports


async def test_matches_are_reported_in_chain_order_and_again_when_they_are_deep_enough(market, settlement, mined):
    confirmed = Reports()

    async def confirm(settled: Settled) -> None:
        head = int(await market.node.call("eth_blockNumber"), 16)
        assert head >= settled.block_number + 2
        confirmed.add(settled)

    settlement.on_confirmed(confirm)
    hashes = [await settlement.submit(market.trade(number)) for number in range(12)]
    await mined.reach(12)
    await confirmed.reach(12)

    assert [one.match_id for one in mined] == [f"match-{number}" for number in range(12)]
    assert [one.tx_hash for one in mined] == hashes
    assert all(one.ok for one in mined)
    assert confirmed == mined
    assert await market.bought() == 120 * SHARE
    assert await market.bank.collateral_balance(market.buyer.address) == 940 * USDC


async def test_a_match_that_reverts_is_reported_with_its_reason(market, settlement, mined):
    await settlement.submit(market.trade(1))
    await settlement.submit(market.trade(1))
    await settlement.submit(market.trade(2, shares=5_000 * SHARE))

    assert [(one.ok, one.reason) for one in await mined.reach(3)] == [
        (True, ""),
        (False, "OrderAlreadyFilled"),
        (False, "InsufficientBalance"),
    ]
    assert await market.bought() == 10 * SHARE


async def test_submissions_at_the_same_time_are_all_settled(market, settlement, mined):
    await asyncio.gather(*(settlement.submit(market.trade(number)) for number in range(30)))

    assert {one.match_id for one in await mined.reach(30)} == {f"match-{number}" for number in range(30)}
    assert len({one.block_number for one in mined}) < 30
    assert await market.bought() == 300 * SHARE


async def test_the_operator_must_be_one(market):
    stranger, mined = Settlement(market.node, market.buyer.address), Reports()
    stranger.on_mined(mined.add)
    running = asyncio.create_task(stranger.run())
    await stranger.submit(market.trade(1))

    assert (await mined.reach(1))[0].reason == "NotOperator"
    await stranger.close()
    await running


async def test_the_exchange_takes_as_many_makers_as_settlement_allows_and_no_more(market, settlement, mined):
    taker = an_order(market.buyer, BUY, market.yes, MAX_MAKERS * SHARE, 50 * CENTS)
    makers = [an_order(market.seller, SELL, market.yes, SHARE, 50 * CENTS, salt=salt) for salt in range(MAX_MAKERS)]
    await settlement.submit(a_match(taker, *makers, condition_id=market.condition))

    assert (await mined.reach(1))[0].ok
    assert await market.bought() == MAX_MAKERS * SHARE
    with pytest.raises(ValueError, match="33 maker orders"):
        await settlement.submit(a_match(taker, *makers, makers[0], condition_id=market.condition))


class LosesAnswers(httpx.AsyncHTTPTransport):
    """Loses the first answers to one method, after its effect."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self._method = method.encode()
        self.lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if self.lost < 2 and self._method in request.content:
            self.lost += 1
            raise httpx.ReadError("lost", request=request)
        return answer


@pytest.mark.parametrize("method", ["eth_getBlockReceipts", "eth_sendTransaction"])
async def test_a_lost_answer_loses_no_match_and_settles_none_twice(market, method):
    transport, mined = LosesAnswers(method), Reports()
    async with Node(market.node.url, httpx.AsyncClient(transport=transport)) as node:
        settlement = Settlement(node, addresses.OPERATOR)
        settlement.on_mined(mined.add)
        running = asyncio.create_task(settlement.run())
        sent = [await settlement.submit(market.trade(number)) for number in (1, 2)]

        assert [one.ok for one in await mined.reach(2)] == [True, True]
        assert [one.tx_hash for one in mined] == sent
        assert transport.lost == 2
        await settlement.close()
        await running


async def test_a_refused_set_up_says_why(market):
    with pytest.raises(ChainRefused, match="InsufficientBalance"):
        await market.bank.split(market.buyer.address, market.condition, 5_000 * USDC)
    with pytest.raises(ChainRefused, match="PayoutNotReported"):
        await market.bank.redeem(market.buyer.address, market.condition)


@pytest.mark.parametrize("fate", ["again", "later", "replaced", "dropped", "failed"])
async def test_a_match_whose_block_is_taken_back_is_reported_so_and_again_when_it_is_mined_again(
    market, settlement, mined, fate
):
    unmined = Reports()
    settlement.on_unmined(unmined.add)
    sent = await settlement.submit(market.trade(1))
    (first,) = await mined.reach(1)
    depth = int(await market.node.call("eth_blockNumber"), 16) - first.block_number + 3
    await market.node.call("evm_reorg", depth, {"fate": fate, "transactions": [sent]})
    _, second = await mined.reach(2)

    assert (first.tx_hash, list(unmined)) == (sent, [first])
    assert second.match_id == first.match_id
    assert (second.ok, second.tx_hash != sent) == (fate != "failed", fate == "replaced")
    assert await market.bought() == (10 * SHARE if second.ok else 0)
