"""The local chain alone: how many transactions it takes and mines a second, and what its memory does meanwhile."""

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from services.cli.child import Child, free_port, start
from services.venue.bank import Bank, Funding
from services.venue.node import addresses, calldata
from services.venue.node.client import Call, Node

BATCH = 25
ANSWERS_S = 30.0
WALLETS = ("0x" + "a1" * 20, "0x" + "b2" * 20)
SHARES = 1_000_000
TRANSFER: calldata.Signature = ("safeTransferFrom", ("address", "address", "uint256", "uint256", "bytes"))


async def measure(folder: Path, transactions: int = 10_000, keep: int = 2_000) -> dict[str, Any]:
    """Moves shares to and fro in blocks of twenty-five. Memory is compared between the half and the end, when the chain forgets as
    much as it mines: it keeps `keep` transactions."""
    shutil.rmtree(folder, ignore_errors=True)
    async with _node(folder, keep) as (child, node):
        yes = await _prepared(node)
        sizes = [_rss_mib(child)]
        began = time.perf_counter()
        for number in range(transactions // BATCH):
            await node.batch([_transfer(yes, number * BATCH + one) for one in range(BATCH)])
            await node.call("evm_mine")
            sizes.append(_rss_mib(child))
        seconds = time.perf_counter() - began
    return {
        "transactions": transactions,
        "kept": keep,
        "mined_per_s": round(transactions / seconds),
        "rss_mib": {"begin": sizes[0], "half": sizes[len(sizes) // 2], "end": sizes[-1]},
        "grown_mib": round(sizes[-1] - sizes[len(sizes) // 2], 1),
    }


@asynccontextmanager
async def _node(folder: Path, keep: int) -> AsyncIterator[tuple[Child, Node]]:
    port = free_port()
    command = (sys.executable, "-m", "services.venue.node", "--port", str(port), "--block-ms", "0")
    child = await start(
        "node", (*command, "--keep-transactions", str(keep), "--keep-blocks", "256"), folder / "node.log"
    )
    try:
        async with Node(f"http://127.0.0.1:{port}") as node:
            await _answers(child, node)
            yield child, node
    finally:
        await child.stop(5.0)


async def _answers(child: Child, node: Node) -> None:
    deadline = time.monotonic() + ANSWERS_S
    while time.monotonic() < deadline:
        child.check()
        with suppress(httpx.HTTPError):
            await node.call("eth_blockNumber")
            return
        await asyncio.sleep(0.1)
    raise child.silent(ANSWERS_S)


async def _prepared(node: Node) -> int:
    bank = Bank(node)
    condition, yes, _ = await bank.create_market(b"\1" * 32)
    await bank.fund_many([Funding(wallet, 10 * SHARES, True) for wallet in WALLETS])
    for wallet in WALLETS:
        await bank.split(wallet, condition, SHARES)
    return yes


def _transfer(token: int, number: int) -> Call:
    giver, taker = WALLETS if number % 2 else WALLETS[::-1]
    data = calldata.write(TRANSFER, giver, taker, token, 1 + number % 7, b"")
    return "eth_sendTransaction", [{"from": giver, "to": addresses.CONDITIONAL_TOKENS, "data": data}]


def _rss_mib(child: Child) -> float:
    pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    return round(pages * 4096 / 2**20, 1)
