"""Who is calling: a person by his token, a service by the mesh, an operator on loopback."""

import hmac
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from services.common.domain.user import UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.errors import Unauthenticated

OPS = "ops"
PEER_HEADER = "x-polycopy-peer"
SECRET_HEADER = "x-polycopy-mesh"
TOKEN_HEADER = "authorization"
FORWARDED_HEADER = "x-forwarded-for"
REQUEST_HEADER = "x-request-id"
CLAIMS = frozenset({PEER_HEADER, SECRET_HEADER, TOKEN_HEADER})
_SPIFFE = re.compile(rb"spiffe://polycopy/(?:[a-z0-9-]+/)?([a-z]+)")
_LOOPBACK = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "unix:")


@dataclass(frozen=True, slots=True)
class Principal:
    """A person: his address (lower-case) and what he may do."""

    address: str
    role: UserRole


class TokenVerifier(Protocol):
    """Reads a token; raises `Unauthenticated` for one that is not good in any way."""

    async def verify(self, token: str, *, fresh: bool = False) -> Principal:
        """The person; `fresh` takes nothing from memory."""
        ...


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
    """Finds out who is calling. With TLS a peer is who its certificate says and nothing else; without it a peer proves itself by the
    mesh's secret, and loopback without any claim is `ops`."""

    def __init__(self, verifier: TokenVerifier | None, mesh_secret: str) -> None:
        self._verifier = verifier
        self._secret = mesh_secret.encode()

    async def of(
        self,
        metadata: Mapping[str, str | bytes],
        remote: str,
        certificates: Mapping[str, list[bytes]],
        *,
        fresh: bool = False,
    ) -> Caller:
        """The caller of a call, his rights read anew where `fresh`. Raises `Unauthenticated` for a claim that does not hold."""
        token = _bearer(metadata)
        peer = self._peer(metadata, remote, certificates, anonymous=bool(token))
        if not token:
            return Caller(peer, None)
        if self._verifier is None:
            raise Unauthenticated
        return Caller(peer, await self._verifier.verify(token, fresh=fresh), token)

    async def still_good(self, who: Caller) -> bool:
        """The person's token is still good; also while that cannot be found out."""
        if who.principal is None or self._verifier is None:
            return True
        try:
            await self._verifier.verify(who.token, fresh=True)
        except Unauthenticated:
            return False
        except StoreUnavailable:
            return True
        return True

    def _peer(
        self,
        metadata: Mapping[str, str | bytes],
        remote: str,
        certificates: Mapping[str, list[bytes]],
        *,
        anonymous: bool,
    ) -> str:
        for name in certificates.get("x509_subject_alternative_name", []):
            if found := _SPIFFE.fullmatch(name):
                return found[1].decode()
        if b"ssl" in certificates.get("transport_security_type", []):
            return ""
        claimed = str(metadata.get(PEER_HEADER, ""))
        if claimed:
            secret = str(metadata.get(SECRET_HEADER, "")).encode()
            if not hmac.compare_digest(secret, self._secret) or claimed == OPS:
                raise Unauthenticated
            return claimed
        # What a proxy on this machine passes on comes from elsewhere.
        local = remote.startswith(_LOOPBACK) and FORWARDED_HEADER not in metadata
        return OPS if local and not anonymous else ""


def _bearer(metadata: Mapping[str, str | bytes]) -> str:
    if TOKEN_HEADER not in metadata:
        return ""
    scheme, _, token = str(metadata[TOKEN_HEADER]).partition(" ")
    if scheme.lower() != "bearer" or not token:
        # Whoever shows something is not to be taken for one who shows nothing.
        raise Unauthenticated
    return token
