"""What happens to a payload that no parser knows: it is counted and kept with its shape, and its reader sees no answer."""

import structlog
from prometheus_client import Counter

from services.common.polymarket.parse.payload import UnknownPayload, dead_letter
from services.common.ports.clock import Clock
from services.common.ports.stores import DeadLetters, StoreUnavailable

UNKNOWN_PAYLOADS = Counter("polycopy_unknown_payloads_total", "Payloads that no parser knows", ["source"])

log = structlog.get_logger()


class Letters:
    """Keeps dead letters; a store that is away costs the letter's body, never its count."""

    def __init__(self, store: DeadLetters, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, error: UnknownPayload) -> None:
        """Count it, log it, store it."""
        UNKNOWN_PAYLOADS.labels(error.source).inc()
        log.warning("unknown_payload", source=error.source, reason=error.reason)
        try:
            await self._store.add(dead_letter(error.source, error.payload, error, self._clock.now()))
        except StoreUnavailable:
            log.warning("dead_letter_lost", source=error.source, shape=dict(error.shape))
