"""One mesh for the tests of a file: starting one takes seconds."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.mesh import Mesh, mesh


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    async with mesh(tmp_path_factory.mktemp("mesh")) as made:
        await made.trades_may_be_old()
        yield made
