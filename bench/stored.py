"""What a copy costs the database as stored copies grow: the same writes and claims among a thousand, and among a million."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from services.cli import mongod
from services.common.domain.account import ExposureChange
from services.common.domain.copy import CopyKind
from services.common.domain.lifecycle import CopyState
from services.common.domain.verdict import Decision
from services.common.ports.stores import Begun
from services.common.store import activities
from services.common.store.client import MongoStores
from tests.builders import ACCOUNT, NOON, a_copy, an_account, an_intent

FEW, MANY = 1_000, 1_000_000
BATCH = 5_000
MEASURED = 300
LEASE = timedelta(seconds=5)
TOKENS = 2_000
HASHES = 10**12


async def measure(folder: Path) -> dict[str, Any]:
    """The median time of one copy from its insert to its signature, in milliseconds, and what grew.

    One copy among few and one among many, in turns: whatever else the disk and the processors do meets both.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    child, uri = await mongod.run(folder)
    try:
        places = {count: await _filled(uri, count) for count in (FEW, MANY)}
        # What was stored in bulk is on the disk before anything is measured.
        await places[MANY].database.client.admin.command("fsync")
        taken: dict[int, list[tuple[float, float]]] = {count: [] for count in places}
        for number in range(MEASURED):
            for count, stores in places.items():
                taken[count].append(await _one(stores, MANY + number))
        for stores in places.values():
            await stores.close()
    finally:
        await child.stop()
    found = {count: _medians(times) for count, times in taken.items()}
    few, many = (found[count]["copy_ms"] for count in (FEW, MANY))
    return {**{f"among_{count}": figures for count, figures in found.items()}, "ratio": round(many / few, 2)}


async def _filled(uri: str, count: int) -> MongoStores:
    stores = MongoStores(uri, f"among_{count}", name="bench")
    await stores.prepare()
    await stores.accounts.create(an_account())
    for batch in _batches(count):
        await stores.database["user_activities"].insert_many(batch, ordered=False)
    return stores


def _medians(times: list[tuple[float, float]]) -> dict[str, float]:
    copies, claims = zip(*times, strict=True)
    return {"copy_ms": round(median(copies), 2), "claim_ms": round(median(claims), 2)}


async def _one(stores: MongoStores, number: int) -> tuple[float, float]:
    now = datetime.now(UTC)
    copy = a_copy(number, now=now)
    began = time.perf_counter()
    await stores.copies.insert([copy])
    asked = time.perf_counter()
    taken = await stores.copies.claim(ACCOUNT, "bench", LEASE, fresh=True)
    claimed = time.perf_counter()
    if taken is None or taken.copy_id != copy.copy_id:
        raise RuntimeError("the copy that was stored is not the one that is claimed")
    account = await stores.accounts.get(ACCOUNT)
    intent = an_intent(number, now)
    decision = Decision(now, 0, (), "{}")
    begun = await stores.copies.begin(
        taken, account.seq if account else 0, intent, decision, ExposureChange(now), (), now
    )
    if begun is not Begun.DONE or not await stores.copies.sign(taken.ref, intent.order_hash, "s1.sealed" + "5" * 223):
        raise RuntimeError(f"no intent: {begun}")
    done = time.perf_counter()
    await stores.copies.fail(taken.ref, intent.attempts[-1], "rejected", False, True, ExposureChange(now), None, now)
    return (done - began) * 1e3, (claimed - asked) * 1e3


def _batches(count: int) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, count, BATCH):
        yield [_ended(number) for number in range(first, min(first + BATCH, count))]


def _ended(number: int) -> dict[str, Any]:
    """What any index holds of a copy that was settled long ago, and no more: nothing on the way of a new copy reads the rest."""
    at = NOON - timedelta(seconds=number)
    return {
        "_id": f"ended-{number}",
        "account": ACCOUNT,
        "idempotencyKey": f"{number:064x}",
        "orderHashes": [f"0x{number + HASHES:064x}"],
        "state": CopyState.RECONCILED.value,
        "rank": activities.RANK[CopyKind.ENTRY],
        "claimableAt": None,
        "unsettled": False,
        "exitId": "",
        "detectedAt": at,
        "sentAt": at,
        "trade": {"tokenId": f"{number % TOKENS:077d}", "blockNumber": number},
    }


if __name__ == "__main__":
    import json

    print(json.dumps(asyncio.run(measure(Path("run/bench/stored").absolute()))))
