"""The port of what a stored signature is kept in."""

from typing import Protocol


class Seal(Protocol):
    """Keeps signatures of orders so that the database alone is not enough to have one filled."""

    def sealed(self, copy_id: str, order_hash: str, signature: str) -> str:
        """The signature as it may be stored: good for this order of this copy only."""
        ...

    def opened(self, copy_id: str, order_hash: str, sealed: str) -> str:
        """The signature that was sealed; empty where none was, or where it cannot be opened."""
        ...
