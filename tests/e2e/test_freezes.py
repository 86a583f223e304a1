"""Monitor and reconciler killed, and every process frozen beyond its lease while another goes on: each trade once, whoever wakes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.kills import ROUNDS, SCENARIOS, Scene, all_of_it, freeze, kill, points, scene

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: freezes"),
    pytest.mark.timeout(240),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ROUNDS)
async def struck(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.mark.parametrize("point", points("monitor", "reconciler"))
async def test_a_monitor_or_reconciler_that_is_killed_there_loses_and_doubles_nothing(struck: Scene, point: str):
    await kill(struck, point)


@pytest.mark.parametrize("point", [point for point, one in SCENARIOS.items() if one.freezes])
async def test_a_process_that_is_frozen_there_beyond_its_lease_changes_nothing_when_it_wakes(struck: Scene, point: str):
    await freeze(struck, point)


async def test_after_all_of_it_the_books_are_the_venues_and_the_chains(struck: Scene):
    await all_of_it(struck)
