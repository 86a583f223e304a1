"""People who log in, and the nonces that they sign."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.domain.trail import Trail


class UserRole(StrEnum):
    """What a login may do: everyone may look at his own, admins may control."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """One wallet that has logged in. `token_epoch` advances to revoke every token issued before."""

    address: str
    role: UserRole
    token_epoch: int
    created_at: datetime
    trail: Trail = ()


@dataclass(frozen=True, slots=True)
class Nonce:
    """One open login message, used at most once."""

    nonce: str
    address: str
    message: str
    expires_at: datetime
