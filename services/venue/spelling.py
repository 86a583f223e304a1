"""How figures, instants and ids are written, alike on every surface."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from services.venue.model import MICRO


def number(micros: int) -> int | float:
    """Millionths as a JSON number: whole ones without a point."""
    return micros // MICRO if micros % MICRO == 0 else micros / MICRO


def stamp(second: int) -> str:
    """A second since 1970, to the second and in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def uuid_of(name: str) -> str:
    """An id that follows from a name, written as a UUID."""
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
