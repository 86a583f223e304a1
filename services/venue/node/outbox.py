"""What waits to be written to one socket: bounded, so that a client who never reads costs the node no memory."""

from __future__ import annotations

import asyncio
from collections import deque

# Geth closes a connection with as many unread notifications.
MAX_FRAMES = 20_000
MAX_BYTES = 16 * 1024 * 1024


class Outbox:
    """Frames in their order. Replies wait for room; a notification that finds none ends the connection (`overflowed`)."""

    def __init__(self, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self.overflowed = asyncio.Event()
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def notify(self, frame: bytes) -> None:
        """Queue a notification; with no room left, nothing more is queued."""
        if self.overflowed.is_set():
            return
        if self._has_room():
            self._add(frame)
        else:
            self.overflowed.set()

    async def reply(self, frame: bytes) -> None:
        """Queue a reply as soon as there is room: who does not read his answers gets no more questions answered."""
        while not self._has_room():
            self._emptied.clear()
            await self._emptied.wait()
        self._add(frame)

    async def take(self) -> bytes:
        """The next frame, once there is one."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        self._emptied.set()
        return frame

    def _has_room(self) -> bool:
        return len(self._frames) < self._max_frames and self._bytes < self._max_bytes

    def _add(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._bytes += len(frame)
        self._filled.set()
