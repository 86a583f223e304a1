"""Asking a running venue, as its tests do."""

import asyncio
from typing import Any

import httpx

from services.common.polymarket.parse.payload import decode
from tests.patience import PATIENT_S

SHARE = 1_000_000


async def traders(web: httpx.AsyncClient) -> dict[str, str]:
    return {one["name"]: one["address"] for one in (await web.get("/admin/traders")).json()["traders"]}


async def trade(web: httpx.AsyncClient, trader: str = "leader-1", **wish: Any) -> str:
    """One order of a trader: its hash."""
    answer = await web.post("/admin/trade", json={"trader": trader, "shares_micros": 100 * SHARE, **wish})
    (order,) = answer.json()["orders"]
    assert not order["error"]
    return order["order_hash"]


async def mined(web: httpx.AsyncClient, order_hash: str) -> dict[str, Any]:
    """The journal's line of a leader's fill, once its block is there."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            lines = (await web.get("/admin/journal", params={"after": 0})).json()["lines"]
            for line in lines:
                if line["kind"] == "leader_fill" and line["order_hash"] == order_hash:
                    return line
            await asyncio.sleep(0.05)


async def rows(web: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await web.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def exact(web: httpx.AsyncClient, path: str, **params: Any) -> Any:
    """The same as production reads it: fractions are Decimals."""
    return decode(path, (await web.get(path, params=params)).content)


def kinds(row: dict[str, Any]) -> dict[str, str]:
    """Each field's type; whole numbers and fractions are one."""
    return {key: "number" if type(value) in (int, float) else type(value).__name__ for key, value in row.items()}
