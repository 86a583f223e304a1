"""The real-time data stream as a source: everyone's fills, of which followed leaders' are hints."""

from collections.abc import Sequence

from services.common.ports.venue import Firehose
from services.monitor.watch import Watch


class FirehoseSource:
    """Hands every hint of a followed leader to the watch."""

    def __init__(self, firehose: Firehose, watch: Watch) -> None:
        self._firehose = firehose
        self._watch = watch

    async def follow(self, leaders: Sequence[str]) -> None:
        """Listen until the stream fails. Raises `VenueUnavailable`."""
        async for hint in self._firehose.hints(leaders):
            self._watch.offer(hint)
