"""The clock of the machine: wall time, monotonic time, waiting, and salts from the operating system's entropy."""

import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """`Clock` of production."""

    def now(self) -> datetime:
        # Whole milliseconds: what the database keeps, so that an instant read back is the instant written.
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())

    def salt(self) -> int:
        return secrets.randbelow(2**53)
