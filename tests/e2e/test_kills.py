"""Processes killed at each of their crash points and started again, or frozen there beyond their leases: each trade once, and soon."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.kill_scenarios import SCENARIOS
from tests.kill_scene import Scene, scene
from tests.kills import ROUNDS, all_of_it, freeze, kill

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: kills"),
]

Record = Callable[[str, object], None]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ROUNDS)
async def struck(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("mesh"), strict=request.param > 1) as made:
        yield made


@pytest.mark.parametrize("point", SCENARIOS)
async def test_a_process_that_is_killed_there_makes_one_order_and_soon(
    struck: Scene, point: str, record_property: Record
):
    record_property("recovered_s", await kill(struck, point))


@pytest.mark.parametrize("point", SCENARIOS)
async def test_a_process_that_is_frozen_there_beyond_its_lease_changes_nothing_when_it_wakes(
    struck: Scene, point: str, record_property: Record
):
    record_property("recovered_s", await freeze(struck, point))


async def test_after_all_of_it_the_books_are_the_venues_and_the_chains(struck: Scene, record_property: Record):
    for name, figure in (await all_of_it(struck)).items():
        record_property(name, figure)
