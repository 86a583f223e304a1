"""How long a test waits for what must happen: a wait ends with the thing, so a slow machine makes it longer and never wrong."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

PATIENT_S = 100.0
"""Seconds. Only what never happens takes so long."""


async def patiently(coming: Awaitable[T]) -> T:
    """What comes, once it does; TimeoutError where it never does."""
    async with asyncio.timeout(PATIENT_S):
        return await coming
