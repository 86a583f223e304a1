"""Access tokens: issued by the gateway, read by every service, with one algorithm per deployment (security.md 2)."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from jwt.utils import base64url_decode, base64url_encode

from services.common.domain.user import User, UserRole
from services.common.ports.people import Users
from services.common.refusals import Refusals
from services.common.rpc.caller import Principal
from services.common.rpc.errors import TokenRefused

ISSUER = "polycopy"
AUDIENCE = "polycopy"
TYPE = "at+jwt"
LIFETIME = timedelta(hours=24)
LEEWAY = timedelta(seconds=30)
LONGEST = 4_096
ADDRESS_CHARACTERS = 42
MOST_KNOWN = 10_000
REQUIRED = ("sub", "address", "role", "iat", "nbf", "exp", "iss", "aud", "jti", "epoch")


class KeyProblem(Exception):
    """The keys cannot be used; the text names the setting."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs and what verifies, by key id; `signing_id` names the one that signs. Never shown."""

    algorithm: str
    signing_id: str
    signing: Any
    verifying: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Keys({self.algorithm}, {sorted(self.verifying)})"


def keys(secret: str | None, folder: Path | None) -> Keys:
    """HS256 from `JWT_SECRET`, or ES256 from the PEM files of `JWT_KEYS_DIR` (the last by name signs). Never both."""
    if (secret is None) == (folder is None):
        raise KeyProblem("JWT_SECRET or JWT_KEYS_DIR: exactly one of them is required")
    if secret is not None:
        return Keys("HS256", "secret", secret, {"secret": secret})
    found = {path.stem: _private(path) for path in sorted(folder.glob("*.pem"))} if folder else {}
    if not found:
        raise KeyProblem(f"JWT_KEYS_DIR: {folder} holds no *.pem")
    newest = max(found)
    return Keys("ES256", newest, _pem(found[newest]), {kid: _public_pem(key) for kid, key in found.items()})


def _private(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyProblem(f"JWT_KEYS_DIR: {path.name} is no private key in PEM") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeyProblem(f"JWT_KEYS_DIR: {path.name} is not a P-256 key")
    return key


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def issue(held: Keys, user: User, token_id: str, now: datetime) -> str:
    """A token of 24 hours for `user`, bound to his epoch."""
    at = int(now.timestamp())
    claims = {
        "sub": user.address,
        "address": user.address,
        "role": str(user.role),
        "iat": at,
        "nbf": at,
        "exp": at + int(LIFETIME.total_seconds()),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "jti": token_id,
        "epoch": user.token_epoch,
    }
    return jwt.encode(claims, held.signing, held.algorithm, headers={"typ": TYPE, "kid": held.signing_id})


def read(held: Keys, token: str) -> dict[str, Any]:
    """The claims of a good token. Raises `TokenRefused` for everything else, whose text does not say why."""
    try:
        if len(token) > LONGEST:
            raise TokenRefused("too_long")
        _one_spelling(token)
        header = jwt.get_unverified_header(token)
        key = held.verifying.get(header.get("kid", ""))
        if key is None:
            raise TokenRefused("unknown_key")
        if header.get("typ") != TYPE:
            raise TokenRefused("other_type")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            [held.algorithm],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise _refusal(token, error) from error
    if claims["sub"] != claims["address"] or claims["role"] not in tuple(UserRole) or type(claims["epoch"]) is not int:
        raise TokenRefused("wrong_claims")
    return claims


WHY: Mapping[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "too_early",
    jwt.InvalidAudienceError: "wrong_audience",
    jwt.InvalidIssuerError: "wrong_issuer",
    jwt.MissingRequiredClaimError: "wrong_claims",
    jwt.InvalidSignatureError: "bad_signature",
    jwt.InvalidAlgorithmError: "other_algorithm",
}
SIGNED = frozenset({"expired", "too_early", "wrong_audience", "wrong_issuer"})
"""What is found out of claims once their signature holds."""


def _refusal(token: str, error: Exception) -> TokenRefused:
    why = next((name for kind, name in WHY.items() if isinstance(error, kind)), "malformed")
    if why not in SIGNED:
        return TokenRefused(why)
    whose = jwt.decode(token, options={"verify_signature": False}).get("sub", "")
    return TokenRefused(why, whose if isinstance(whose, str) and len(whose) == ADDRESS_CHARACTERS else "")


def _one_spelling(token: str) -> None:
    # Readers of base64 pass over padding, odd bits and foreign characters: a token that was changed is not to be the same one.
    if any(base64url_encode(base64url_decode(part)) != part.encode() for part in token.split(".")):
        raise TokenRefused("malformed")


class StoredVerifier:
    """Verifies tokens against the keys and the user's epoch and role, which it remembers for a few seconds."""

    def __init__(self, held: Keys, users: Users, remember_s: float = 5.0, refusals: Refusals | None = None) -> None:
        self._keys = held
        self._users = users
        self._remember_s = remember_s
        self._refusals = refusals
        self._known: dict[str, tuple[float, User]] = {}
        self._asking: dict[str, asyncio.Future[User | None]] = {}

    async def verify(self, token: str, *, fresh: bool = False) -> Principal:
        """The person, read anew where `fresh`; raises `TokenRefused`, or `StoreUnavailable` when his epoch cannot be read."""
        try:
            return await self._verified(token, fresh)
        except TokenRefused as refusal:
            if self._refusals is not None:
                self._refusals.note(refusal.why, refusal.subject)
            raise

    async def _verified(self, token: str, fresh: bool) -> Principal:
        claims = read(self._keys, token)
        address = claims["sub"]
        user = None if fresh else self._remembered(address) or await self._shared(address)
        if user is None or _is_older(user, claims):
            user = await self._ask(address)
        if user is None or user.token_epoch != claims["epoch"] or str(user.role) != claims["role"]:
            raise TokenRefused("revoked", address)
        return Principal(user.address, user.role)

    def _remembered(self, address: str) -> User | None:
        at, user = self._known.get(address, (0.0, None))
        return user if time.monotonic() - at <= self._remember_s else None  # clock: how long a read may be reused

    async def _shared(self, address: str) -> User | None:
        # One question for all who wait for this person, and nobody waits for another's.
        asking = self._asking.get(address)
        if asking is None:
            asking = self._asking[address] = asyncio.ensure_future(self._ask(address))
            asking.add_done_callback(lambda done: self._answered(address, done))
        return await asyncio.shield(asking)

    def _answered(self, address: str, done: "asyncio.Future[User | None]") -> None:
        del self._asking[address]
        if not done.cancelled():
            done.exception()  # those who asked may all have left

    async def _ask(self, address: str) -> User | None:
        at = time.monotonic()  # clock: how long a read may be reused
        user = await self._users.get(address)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        if user is not None:
            self._known[address] = (at, user)
        return user


def _is_older(user: User, claims: dict[str, Any]) -> bool:
    # A token that we signed for a later epoch or another role tells that the person has logged in since.
    return (user.token_epoch, str(user.role)) != (claims["epoch"], claims["role"]) and user.token_epoch <= claims[
        "epoch"
    ]
