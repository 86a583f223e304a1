"""ClosePositions: what is held is asked for once, and a wish that makes no sense owes nothing."""

import pytest
from polycopy.engine.v1 import engine_pb2 as pb

from services.common.domain.account import ExposureChange, Holding
from services.common.rpc.caller import calling
from services.common.rpc.errors import InvalidArgument, NotFound
from services.common.store.memory import MemoryStores
from tests.builders import CONDITION, NOON, TOKEN
from tests.servicer_world import ACCOUNTS, ADMIN, accounts, servicer


@pytest.fixture
async def stores() -> MemoryStores:
    return await accounts()


async def close(stores: MemoryStores, **request: object) -> pb.ClosePositionsResponse:
    calling(ADMIN)
    return await servicer(stores).ClosePositions(pb.ClosePositionsRequest(**request), None)  # type: ignore[arg-type]


async def holding(stores: MemoryStores, *accounts: str) -> None:
    """These accounts hold ten shares that no follow owns."""
    for account in accounts:
        held = Holding(TOKEN, CONDITION, "7", 10_000_000, 5_000_000)
        await stores.accounts.apply(account, ExposureChange(NOON, held=held))


async def owed(stores: MemoryStores) -> list[str]:
    found = [exit_ for account in ACCOUNTS for exit_ in await stores.exits.open_ones(account)]
    return [exit_.account_id for exit_ in found]


async def test_a_wish_to_close_is_owed_by_every_account_that_holds_the_token(stores):
    await holding(stores, *ACCOUNTS[:2])

    answer = await close(stores, asset_ids=[TOKEN, TOKEN], request_id="r1")
    again = await close(stores, asset_ids=[TOKEN], request_id="r1")

    assert (answer.message, list(answer.asset_ids)) == ("closing 1 position", [TOKEN])
    assert answer == again
    assert await owed(stores) == ACCOUNTS[:2]


async def test_one_account_is_closed_alone_and_a_wish_without_a_name_gets_one(stores):
    await holding(stores, *ACCOUNTS[:2])

    await close(stores, asset_ids=[TOKEN], account_id=ACCOUNTS[1])

    assert await owed(stores) == [ACCOUNTS[1]]
    (kept,) = stores.close_requests._requests.values()
    assert kept.done
    assert len(kept.request_id) == 32


@pytest.mark.parametrize(
    ("request_", "failure", "field"),
    [
        ({}, InvalidArgument, "assetIds"),
        ({"asset_ids": ["0x1"]}, InvalidArgument, "assetIds"),
        ({"asset_ids": ["-1"]}, InvalidArgument, "assetIds"),
        ({"asset_ids": ["1" * 79]}, InvalidArgument, "assetIds"),
        ({"asset_ids": [str(n) for n in range(1, 52)]}, InvalidArgument, "assetIds"),
        ({"asset_ids": [TOKEN], "request_id": "a|b"}, InvalidArgument, "requestId"),
        ({"asset_ids": [TOKEN], "request_id": "a b"}, InvalidArgument, "requestId"),
        ({"asset_ids": [TOKEN], "request_id": "x" * 101}, InvalidArgument, "requestId"),
        ({"asset_ids": [TOKEN, "5"]}, NotFound, "position"),
        ({"asset_ids": [TOKEN], "account_id": "0x" + "d" * 40}, NotFound, "account"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_by_its_field_and_owes_nothing(stores, request_, failure, field):
    await holding(stores, *ACCOUNTS)

    with pytest.raises(failure) as refused:
        await close(stores, **request_)

    assert field in refused.value.metadata.values()
    assert await owed(stores) == []


async def test_a_name_that_was_used_for_other_tokens_is_refused(stores):
    await holding(stores, *ACCOUNTS)
    await close(stores, asset_ids=[TOKEN], request_id="r1")

    with pytest.raises(InvalidArgument, match="requestId"):
        await close(stores, asset_ids=["5"], request_id="r1")
