"""Two nodes of the chain: whether they know the same blocks, however far each of them is."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from services.common.chain.witnesses import RpcWitnesses
from services.common.ports.chain import ChainUnavailable
from services.venue.node.client import Node
from tests.venue_chain import node_process

pytestmark = pytest.mark.xdist_group("venue_node_faults")

START = 1_790_000_000
NOBODY = "http://127.0.0.1:9"


class Nodes(NamedTuple):
    """The node that is read from, one that follows it, and one that began with them and went its own way."""

    read: str
    follower: str
    stranger: str


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    options = ("--block-ms", "0", "--start-at", str(START))
    with node_process(*options) as read, node_process(*options) as follower, node_process(*options) as stranger:
        yield Nodes(read, follower, stranger)


@pytest.fixture(autouse=True)
async def in_step(nodes: Nodes) -> None:
    """The follower has caught up, block by block; the stranger is as far, by blocks of other times."""
    await mine(nodes.read)
    for other, apart_s in ((nodes.follower, 0), (nodes.stranger, 1)):
        for time in (await times(nodes.read))[len(await times(other)) :]:
            await mine(other, time + apart_s)


async def times(url: str) -> list[int]:
    """The seconds of a node's blocks."""
    async with Node(url) as node:
        last = int(await node.call("eth_blockNumber"), 16)
        blocks = [await node.call("eth_getBlockByNumber", hex(number), False) for number in range(last + 1)]
        return [int(block["timestamp"], 16) for block in blocks]


async def mine(url: str, at: int | None = None) -> None:
    time = at or (await times(url))[-1] + 10
    async with Node(url) as node:
        await node.call("evm_mine", time)


async def agree(url: str, *others: str) -> bool | None:
    witnesses = RpcWitnesses(url, others)
    try:
        return await witnesses.agree()
    finally:
        await witnesses.close()


async def test_a_node_without_witnesses_is_believed() -> None:
    assert await agree(NOBODY) is True


async def test_nodes_of_one_chain_agree_whichever_of_them_is_behind(nodes: Nodes) -> None:
    assert await agree(nodes.read, nodes.follower) is True

    await mine(nodes.read)

    assert len(await times(nodes.read)) == len(await times(nodes.follower)) + 1
    assert await agree(nodes.read, nodes.follower) is True
    assert await agree(nodes.follower, nodes.read) is True


async def test_a_witness_on_a_branch_of_its_own_disagrees_whichever_of_them_is_behind(nodes: Nodes) -> None:
    assert await agree(nodes.read, nodes.stranger) is False

    await mine(nodes.read)

    assert await agree(nodes.read, nodes.stranger) is False
    assert await agree(nodes.stranger, nodes.read) is False
    assert await agree(nodes.read, nodes.follower, nodes.stranger) is False
    assert await agree(nodes.read, nodes.stranger, nodes.follower) is False


async def test_a_witness_that_is_away_says_nothing_and_if_all_are_nothing_is_known(nodes: Nodes) -> None:
    assert await agree(nodes.read, NOBODY) is None
    assert await agree(nodes.read, NOBODY, nodes.follower) is True
    assert await agree(nodes.read, NOBODY, nodes.stranger) is False


async def test_a_node_that_is_away_itself_has_nothing_to_agree_on(nodes: Nodes) -> None:
    with pytest.raises(ChainUnavailable):
        await agree(NOBODY, nodes.follower)
