"""What the engine tells everyone who listens."""

from __future__ import annotations

from collections.abc import Callable

from services.venue.events import Event

Listener = Callable[[Event], None]


class Bulletin:
    """Calls every listener with every event, in the order of their subscriptions."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Call this with every event from now on."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
