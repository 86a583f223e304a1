"""What no answer of an application can do: to the connection beneath it. The server (uvicorn) offers no way but its own transport."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Send

AT_ONCE = struct.pack("ii", 1, 0)
TEXT_FRAME = 0x81
SHORT, MIDDLE = 126, 2**16


def transport_of(send: Send) -> asyncio.Transport:
    """The connection that the server's own `send` writes to."""
    cycle: Any = getattr(send, "__self__", None)
    return cycle.transport


def cut(send: Send) -> None:
    """Close without a word; what is not yet written is not."""
    transport_of(send).abort()


def reset(send: Send) -> None:
    """Close so that the other side's kernel says `connection reset`."""
    transport = transport_of(send)
    plug: Any = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    transport.abort()


async def gone(receive: Receive) -> None:
    """Until the server has seen that the connection is no more: only then may its application return."""
    while (await receive())["type"] != "http.disconnect":
        continue


def half_a_frame(text: str) -> bytes:
    """The beginning of a WebSocket text frame whose header promises all of `text`."""
    payload = text.encode()
    if len(payload) < SHORT:
        size = bytes([len(payload)])
    elif len(payload) < MIDDLE:
        size = bytes([SHORT]) + struct.pack("!H", len(payload))
    else:
        size = bytes([SHORT + 1]) + struct.pack("!Q", len(payload))
    return bytes([TEXT_FRAME]) + size + payload[: len(payload) // 2]
