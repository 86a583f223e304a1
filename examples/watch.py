"""Print what happens, and go on after a drop where it stopped: `python examples/watch.py ws://127.0.0.1:3001/ws TOKEN`."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def main(url: str, token: str) -> None:
    """Watch until the program is ended."""
    resume = ""
    while True:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with connect(f"{url}?resume={resume}", additional_headers=headers) as socket:
                async for text in socket:
                    frame = json.loads(text)
                    resume = frame.get("token", resume)
                    sys.stdout.write(f"{frame['event']} {json.dumps(frame['data'])}\n")
                    sys.stdout.flush()
        except (ConnectionClosed, OSError):
            await asyncio.sleep(1)


asyncio.run(main(*sys.argv[1:]))
