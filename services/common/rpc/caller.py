"""Who is calling: a person by his token, a service by the mesh, an operator on loopback."""

import hmac
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from services.common.domain.user import UserRole
from services.common.rpc.errors import Unauthenticated

OPS = "ops"
PEER_HEADER = "x-polycopy-peer"
SECRET_HEADER = "x-polycopy-mesh"
TOKEN_HEADER = "authorization"
FORWARDED_HEADER = "x-forwarded-for"
_LOOPBACK = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "unix:")


@dataclass(frozen=True, slots=True)
class Principal:
    """A person: his address (lower-case) and what he may do."""

    address: str
    role: UserRole


class TokenVerifier(Protocol):
    """Reads a token; raises `Unauthenticated` for one that is not good in any way."""

    async def verify(self, token: str) -> Principal: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A call's origin: the mesh peer it came from (empty from outside), and the person it is for."""

    peer: str
    principal: Principal | None
    token: str = ""

    @property
    def sees_all(self) -> bool:
        """Admins and operators see every account."""
        if self.principal is None:
            return self.peer == OPS
        return self.principal.role is UserRole.ADMIN

    @property
    def name(self) -> str:
        """Who did it, for trails and logs."""
        return self.principal.address if self.principal else self.peer or "anonymous"

    def owns(self, owner: str) -> bool:
        """The caller may see what belongs to `owner`."""
        return self.sees_all or (self.principal is not None and self.principal.address == owner.lower())


_current: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """The caller of the RPC that is being served."""
    return _current.get()


def calling(who: Caller) -> None:
    """Note the caller for the rest of this RPC's task."""
    _current.set(who)


def current_token() -> str:
    """The token of the person that the current RPC is for; empty outside of one."""
    who = _current.get(None)
    return who.token if who else ""


class Identity:
    """Finds out who is calling. Without TLS a peer proves itself by the mesh's secret, and loopback without any claim is `ops`."""

    def __init__(self, verifier: TokenVerifier | None, mesh_secret: str) -> None:
        self._verifier = verifier
        self._secret = mesh_secret

    async def of(
        self, metadata: Mapping[str, str | bytes], remote: str, certificates: Mapping[str, list[bytes]]
    ) -> Caller:
        """The caller of a call. Raises `Unauthenticated` for a claim that does not hold."""
        token = _bearer(metadata)
        peer = self._peer(metadata, remote, certificates, anonymous=bool(token))
        if not token:
            return Caller(peer, None)
        if self._verifier is None:
            raise Unauthenticated
        return Caller(peer, await self._verifier.verify(token), token)

    def _peer(
        self,
        metadata: Mapping[str, str | bytes],
        remote: str,
        certificates: Mapping[str, list[bytes]],
        *,
        anonymous: bool,
    ) -> str:
        for name in certificates.get("x509_subject_alternative_name", []):
            if name.startswith(b"spiffe://polycopy/"):
                return name.decode().rpartition("/")[2]
        claimed = str(metadata.get(PEER_HEADER, ""))
        if claimed:
            if not hmac.compare_digest(str(metadata.get(SECRET_HEADER, "")), self._secret) or claimed == OPS:
                raise Unauthenticated
            return claimed
        # What a proxy on this machine passes on comes from elsewhere.
        local = remote.startswith(_LOOPBACK) and FORWARDED_HEADER not in metadata
        return OPS if local and not anonymous else ""


def _bearer(metadata: Mapping[str, str | bytes]) -> str:
    scheme, _, token = str(metadata.get(TOKEN_HEADER, "")).partition(" ")
    return token if scheme == "Bearer" else ""
