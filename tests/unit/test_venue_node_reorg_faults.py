"""Reorganisations as a fault of the chain: by rate and seed, from a file too, as deep as can be and no deeper."""

from typing import Any

import pytest

from services.venue.app import FAULTS as VENUES
from services.venue.faults.file import read_file
from services.venue.faults.kinds import FATES
from services.venue.node import faults
from services.venue.node.depth import DEEPEST, KEPT_FOR_REORGS
from services.venue.node.errors import InvalidParams
from services.venue.node.evm import Retention
from services.venue.node.faults import RpcFaults
from services.venue.node.reorgs import Fate
from tests.venue_node import Node


@pytest.fixture
async def node():
    one = Node()
    yield one
    one.miner.close()


async def struck_blocks(node: Node, **fault: Any) -> list[int]:
    """Which of twenty blocks are taken back, each with a line that says how."""
    await node("evm_addFault", {"kind": "reorg", "times": 0, **fault})
    heads = []
    for _ in range(20):
        number = int(await node("evm_mine"), 16)
        heads.append((number, int(await node("eth_blockNumber"), 16)))
    lines = (await node("evm_faults"))["lines"]
    await node("evm_clearFaults")

    moved = [number for number, head in heads if head != number]
    assert {head - number for number, head in heads} <= {0, 1}
    assert [int(line["block"]) for line in lines] == moved
    assert {(line["fault"], line["depth"], line["fate"]) for line in lines} <= {("reorg", 2, "later")}
    return moved


async def test_blocks_are_taken_back_at_a_rate_and_by_a_seed_and_each_time_leaves_a_line():
    struck = []
    for chance in (3, 3, 4):
        node = Node()
        struck.append(await struck_blocks(node, depth=2, fate="later", rate_bps=3_000, seed=chance))
        node.miner.close()

    assert struck[0] == struck[1] != struck[2]
    assert 1 < len(struck[0]) < 15


async def test_a_block_with_too_few_before_it_is_not_taken_back(node):
    await node("evm_addFault", {"kind": "reorg", "depth": 4})
    numbers = [int(await node("evm_mine"), 16) for _ in range(6)]

    assert numbers == [1, 2, 3, 4, 6, 7]
    (line,) = (await node("evm_faults"))["lines"]
    assert line["block"] == "4"


async def test_the_deepest_reorg_that_can_be_asked_for_is_one_that_the_chain_can_do():
    node = Node(Retention(blocks=KEPT_FOR_REORGS))
    await node("evm_addFault", {"kind": "reorg", "depth": DEEPEST})
    for _ in range(DEEPEST):
        await node("evm_mine")
    (line,) = (await node("evm_faults"))["lines"]
    for _ in range(DEEPEST):
        await node("evm_mine")
    await node("evm_reorg", DEEPEST)

    assert (line["fault"], line["block"]) == ("reorg", str(DEEPEST))
    with pytest.raises(InvalidParams, match="depth"):
        await node("evm_reorg", DEEPEST + 1)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"depth": 0}, "depth"),
        ({"depth": DEEPEST + 1}, "depth"),
        ({"depth": "x"}, "depth"),
        ({"fate": "lost"}, "fate"),
        ({"rpc": ""}, "rpc"),
    ],
)
async def test_a_reorg_that_makes_no_sense_is_no_fault(node, wrong, text):
    with pytest.raises(InvalidParams, match=f"{text}: expected"):
        await node("evm_addFault", {"kind": "reorg", **wrong})


def test_a_file_may_have_reorgs_which_are_the_nodes_and_not_the_venues(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "reorg"\ndepth = 3\nfate = "replaced"\nrate_bps = 100\ntimes = 0\nseed = 5\n')
    (fault,) = read_file(path, faults.FAMILIES, faults.CHANNELS)

    assert RpcFaults().add(fault)["fate"] == "replaced"
    assert read_file(path, VENUES) == []


def test_the_fates_of_a_fault_are_those_of_a_reorg():
    assert tuple(Fate) == FATES
