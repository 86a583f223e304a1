"""Deletes signatures that are no longer needed. Any number of processes may do so at once: what is gone is gone."""

import structlog
from prometheus_client import Counter

from services.common.ports.stores import Stores

log = structlog.get_logger()

FORGOTTEN = Counter(
    "polycopy_reconciler_signatures_deleted_total",
    "Copies whose signatures were deleted, 30 days after they were final",
)
AT_ONCE = 500


class Custody:
    """Signed orders of copies that have been final for long."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def turn(self) -> None:
        """Delete what is due, by the database's clock. Raises `StoreUnavailable`."""
        now, gone = await self._stores.now(), AT_ONCE
        while gone == AT_ONCE:
            gone = await self._stores.copies.forget_signatures(now, AT_ONCE)
            FORGOTTEN.inc(gone)
            if gone:
                log.info("signatures_deleted", copies=gone)
