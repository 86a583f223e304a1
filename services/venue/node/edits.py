"""What tests and the venue's own services write into the state past all transactions, as a testing node allows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    """New values of one account; None leaves one as it is. Done again when a reorg takes its block back."""

    address: bytes
    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: dict[int, int] = field(default_factory=dict[int, int])
