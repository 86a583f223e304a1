"""What every venue behind the ports must do: in memory, and over the network on a real chain."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Outcome
from services.common.domain.market import Side
from services.common.polymarket.environment import PRODUCTION
from tests.contract.venue_scenes import CASH, SHARE, Scene, in_memory, over_the_network
from tests.patience import PATIENT_S
from tests.venue_process import Venue, venue_process

pytestmark = pytest.mark.xdist_group("venue ports")


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with venue_process() as running:
        yield running


@pytest.fixture(params=["memory", "network"])
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    if request.param == "memory":
        async with in_memory() as made:
            yield made
        return
    async with over_the_network(request.getfixturevalue("venue")) as made:
        yield made


async def test_a_marketable_order_matches_within_what_was_signed(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)

    answer = await scene.post(intent)

    assert (answer.outcome, answer.status) == (Outcome.ACKED, "matched")
    assert answer.usdc_micros is not None
    assert answer.shares_micros is not None
    assert 0 < answer.usdc_micros <= intent.fields.maker_amount
    assert answer.shares_micros >= intent.shares_micros * 99 // 100


async def test_its_trade_names_its_hash_and_the_same_amounts(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)
    before = scene.clock.now()
    answer = await scene.post(intent)

    (trade,) = await scene.clob.trades(intent.order_hash, scene.token, before)

    assert (trade.order_hash, trade.token_id, trade.side, trade.taker) == (
        intent.order_hash,
        scene.token,
        Side.BUY,
        True,
    )
    assert trade.shares_micros == answer.shares_micros
    assert trade.trade_id in answer.trade_ids


async def test_the_same_bytes_again_are_duplicated_and_fill_nothing(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)
    await scene.post(intent)

    again = await scene.post(intent)

    assert again.outcome is Outcome.DUPLICATED
    assert len(await scene.clob.trades(intent.order_hash, scene.token, scene.clock.now() - timedelta(minutes=1))) == 1


async def test_an_order_whose_time_to_leave_is_over_never_leaves(scene: Scene) -> None:
    await scene.clob.wallet()
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)

    late = await scene.clob.post(intent, scene.clock.monotonic() - 0.001)
    again = await scene.post(intent)

    assert (late.outcome, late.code) == (Outcome.NOT_SENT, "too_late_to_send")
    assert (again.outcome, again.status) == (Outcome.ACKED, "matched")


async def test_an_order_short_of_the_book_comes_to_nothing_for_good(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=-1)

    answer = await scene.post(intent)
    again = await scene.post(intent)

    assert answer.outcome is Outcome.REJECTED or (answer.outcome, answer.shares_micros) == (Outcome.ACKED, 0)
    assert again.outcome is Outcome.DUPLICATED
    assert await scene.clob.trades(intent.order_hash, scene.token, intent.attempts[0].at) == ()


async def test_an_order_beyond_the_balance_is_rejected_by_name(scene: Scene) -> None:
    answer = await scene.post(await scene.an_order(2_100 * SHARE, beyond_ticks=8))

    assert answer.outcome is Outcome.REJECTED
    assert "not enough balance / allowance" in answer.code


async def test_an_order_that_was_never_sent_is_not_known(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)

    assert await scene.clob.order(intent.order_hash) is None
    assert await scene.clob.trades(intent.order_hash, scene.token, intent.attempts[0].at) == ()


async def test_the_wallet_says_what_may_be_spent(scene: Scene) -> None:
    wallet = await scene.clob.wallet()

    assert wallet.balance_micros == CASH
    assert [wallet.allowance(exchange) >= CASH for exchange in PRODUCTION.exchanges] == [True] * 3


async def test_the_clock_of_the_venue_is_ours(scene: Scene) -> None:
    assert abs(await scene.clob.server_time() - scene.clock.now()) < timedelta(seconds=2)


async def test_a_match_is_confirmed_with_its_log_on_the_chain_and_its_shares_in_the_wallet(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)
    await scene.post(intent)

    trade = await confirmed(scene, intent.order_hash)
    (log,) = await scene.chain.fills_of_order(intent.order_hash, 0)
    status = await scene.chain.order_status(intent.fields.exchange, intent.order_hash)

    assert (log.tx_hash, log.fill.shares_micros) == (trade.tx_hash, trade.shares_micros)
    assert status.filled or status.remaining < intent.fields.maker_amount
    assert await scene.chain.token_balance(scene.signer.address, scene.token) == trade.shares_micros


async def test_the_public_record_shows_the_position_and_the_transaction(scene: Scene) -> None:
    intent = await scene.an_order(20 * SHARE, beyond_ticks=1)
    began = scene.clock.now() - timedelta(seconds=5)
    await scene.post(intent)
    trade = await confirmed(scene, intent.order_hash)

    positions = await scene.activity.positions(scene.signer.address)
    hints = await scene.activity.trades(scene.signer.address, began)

    assert [(position.token_id, position.shares_micros) for position in positions] == [
        (scene.token, trade.shares_micros)
    ]
    assert {hint.tx_hash for hint in hints} == {trade.tx_hash}


async def test_shares_that_were_bought_and_settled_can_be_sold(scene: Scene) -> None:
    bought = await scene.an_order(20 * SHARE, beyond_ticks=1)
    await scene.post(bought)
    await confirmed(scene, bought.order_hash)

    answer = await scene.post(await scene.an_order(10 * SHARE, beyond_ticks=1, side=Side.SELL))

    assert (answer.outcome, answer.status, answer.shares_micros) == (Outcome.ACKED, "matched", 10 * SHARE)


async def test_shares_that_nobody_holds_cannot_be_sold(scene: Scene) -> None:
    answer = await scene.post(await scene.an_order(10 * SHARE, beyond_ticks=1, side=Side.SELL))

    assert answer.outcome is Outcome.REJECTED


async def test_a_market_is_found_by_either_token_and_an_unknown_token_has_none(scene: Scene) -> None:
    by_first, by_second = [await scene.markets.by_token(token.token_id) for token in scene.market.tokens]

    assert by_first is not None
    assert by_second is not None
    assert by_first.condition_id == by_second.condition_id == scene.market.condition_id
    assert await scene.markets.by_token("9" * 70) is None
    assert await scene.markets.book("9" * 70) is None


async def test_a_book_is_live_best_first_and_not_crossed(scene: Scene) -> None:
    book = await scene.markets.book(scene.token)

    assert book is not None
    assert book.live
    assert list(book.bids) == sorted(book.bids, key=lambda level: -level.price_micros)
    assert list(book.asks) == sorted(book.asks, key=lambda level: level.price_micros)
    assert book.bids[0].price_micros < book.asks[0].price_micros


async def confirmed(scene: Scene, order_hash: str):
    """The order's trade, once it is confirmed."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            trades = await scene.clob.trades(order_hash, scene.token, scene.clock.now() - timedelta(minutes=1))
            if trades and trades[0].status is TradeStatus.CONFIRMED:
                return trades[0]
            await asyncio.sleep(0.05)
