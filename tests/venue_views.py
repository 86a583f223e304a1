"""What a test looks at beside a trader's own view: markets, books, the journal, the chain."""

from typing import Any

import httpx

from tests.venue_process import Venue

USDC = SHARE = 1_000_000

# Places in the list of markets: a coarse grid without fees, one with them, a fine grid with them.
PLAIN, WITH_FEES, FINE = 0, 1, 2

ORDER_FILLED = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"
FILLED = ("side", "token", "given", "got", "fee")


async def market(web: httpx.AsyncClient, place: int = PLAIN) -> dict[str, Any]:
    return (await web.get("/admin/markets")).json()["markets"][place]


async def book(web: httpx.AsyncClient, token: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(price, size) in micros, the best first."""
    found = (await web.get("/clob/book", params={"token_id": token})).json()
    return tuple(
        [(round(float(one["price"]) * USDC), round(float(one["size"]) * SHARE)) for one in reversed(found[side])]
        for side in ("bids", "asks")
    )


async def lines(web: httpx.AsyncClient, *kinds: str) -> list[dict[str, Any]]:
    found = (await web.get("/admin/journal", params={"after": 0})).json()["lines"]
    return [line for line in found if line["kind"] in kinds]


async def on_chain(venue: Venue, tx_hash: str) -> dict[str, dict[str, Any]]:
    """The `OrderFilled` logs of a transaction by order hash: maker, side, token, what was given, what was got, the fee."""
    receipt = await venue.node("eth_getTransactionReceipt", tx_hash)
    found = {}
    for log in receipt["logs"]:
        if log["topics"][0] == ORDER_FILLED:
            words = [int(log["data"][2 + at : 66 + at], 16) for at in range(0, 320, 64)]
            wallet = "0x" + log["topics"][2][-40:]
            found[log["topics"][1]] = {"wallet": wallet, **dict(zip(FILLED, words, strict=True))}
    return found
