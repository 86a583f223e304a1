"""New logs over a WebSocket. A socket that is open but silent is dead: blocks come every few seconds, so heads prove it alive."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from services.common.ports.chain import ChainUnavailable

SILENCE_S = 20.0
CONNECT_S = 5.0
LARGEST_FRAME = 16 * 1024 * 1024


async def logs(url: str, wanted: Mapping[str, Any], silence_s: float = SILENCE_S) -> AsyncIterator[Mapping[str, Any]]:
    """Logs of the filter `wanted` as they are mined. Raises `ChainUnavailable` when the socket dies, refuses or goes silent."""
    try:
        async with connect(url, max_size=LARGEST_FRAME, open_timeout=CONNECT_S) as socket:
            await _subscribe(socket, 1, "newHeads")
            subscription = await _subscribe(socket, 2, "logs", dict(wanted))
            while True:
                async with asyncio.timeout(silence_s):
                    frame = json.loads(await socket.recv())
                params = frame.get("params", {})
                if params.get("subscription") == subscription:
                    yield params["result"]
    except TimeoutError as error:
        raise ChainUnavailable(f"no block for {silence_s:.0f} s") from error
    except (WebSocketException, OSError, ValueError, KeyError) as error:
        raise ChainUnavailable(f"subscription: {type(error).__name__}") from error


async def _subscribe(socket: ClientConnection, number: int, *params: Any) -> str:
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": params}))
    while True:
        async with asyncio.timeout(CONNECT_S):
            answer = json.loads(await socket.recv())
        if answer.get("id") == number:
            return str(answer["result"])
