"""Access tokens: one is good when everything about it is, and nothing says why another is not."""

import base64
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.common.domain.user import User, UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.errors import Unauthenticated
from services.common.store.memory import MemoryStores
from services.common.tokens import LONGEST, KeyProblem, StoredVerifier, issue, keys, read
from tests.builders import ACCOUNT, NOON

SECRET = "0123456789abcdef0123456789abcdef"
USER = User(ACCOUNT, UserRole.USER, 3, NOON)


def now() -> datetime:
    return datetime.now(UTC)


def a_key(folder: Path, name: str, key: Any = None) -> Any:
    key = key or ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(key.private_bytes(*form))
    return key


@pytest.fixture(params=["HS256", "ES256"])
def held(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "HS256":
        return keys(SECRET, None)
    a_key(tmp_path, "one")
    return keys(None, tmp_path)


def test_a_token_says_whose_it_is(held):
    claims = read(held, issue(held, USER, "t1", now()))

    assert (claims["sub"], claims["role"], claims["epoch"], claims["jti"]) == (ACCOUNT, "user", 3, "t1")
    assert claims["exp"] - claims["iat"] == 24 * 3600


def forged(held, /, *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token signed with the right key, whose claims or header are not ours."""
    good = issue(held, USER, "t1", now())
    claims = jwt.decode(good, options={"verify_signature": False}) | changes
    claims = {name: _instant(value) for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, held.signing, held.algorithm, headers=jwt.get_unverified_header(good) | (headers or {}))


def _instant(value: Any) -> Any:
    return int((now() + value).timestamp()) if isinstance(value, timedelta) else value


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": timedelta(minutes=-2)},
        {"nbf": timedelta(minutes=2)},
        {"iat": timedelta(minutes=2)},
        {"iss": "someone"},
        {"aud": "someone"},
        {"role": "root"},
        {"role": ["user"]},
        {"sub": "0x" + "9" * 40},
        {"epoch": "3"},
        {"epoch": True},
        {"epoch": 3.0},
        {"exp": ...},
        {"jti": ...},
        {"epoch": ...},
        {"address": ...},
        {"headers": {"typ": "JWT"}},
        {"headers": {"kid": "other"}},
        {"headers": {"kid": ""}},
    ],
    ids=str,
)
def test_a_token_that_is_not_ours_in_every_way_is_no_token(held, changes: dict[str, Any]):
    with pytest.raises(Unauthenticated):
        read(held, forged(held, **changes))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 9, "." * 10, "x" * (LONGEST + 1)])
def test_what_is_no_token_is_refused_quietly(held, token: str):
    with pytest.raises(Unauthenticated):
        read(held, token)


def test_a_token_whose_clock_is_a_little_ahead_is_good(held):
    assert read(held, issue(held, USER, "t1", now() + timedelta(seconds=20)))["jti"] == "t1"


def test_a_token_without_a_signature_or_by_another_key_is_refused(held):
    good = issue(held, USER, "t1", now())
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    none = jwt.encode(claims, None, "none", headers={**header, "alg": "none"})

    for token in (none, good[:-6] + "AAAAAA", good.rpartition(".")[0] + "."):
        with pytest.raises(Unauthenticated):
            read(held, token)
    with pytest.raises(Unauthenticated):
        read(keys(SECRET[::-1], None), good)


def test_a_public_key_is_no_secret_to_sign_with(tmp_path: Path):
    a_key(tmp_path, "one")
    held = keys(None, tmp_path)
    _, claims, _ = issue(held, USER, "t1", now()).split(".")
    header = b'{"alg":"HS256","typ":"at+jwt","kid":"one"}'
    signed = f"{_part(header)}.{claims}"
    tag = hmac.digest(held.verifying["one"], signed.encode(), "sha256")

    with pytest.raises(Unauthenticated):
        read(held, f"{signed}.{_part(tag)}")


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def test_the_newest_key_signs_and_every_key_that_is_there_verifies(tmp_path: Path):
    a_key(tmp_path, "2026-01")
    old = keys(None, tmp_path)
    token = issue(old, USER, "t1", now())
    a_key(tmp_path, "2026-02")
    both = keys(None, tmp_path)

    assert both.signing_id == "2026-02"
    assert read(both, token)["jti"] == "t1"
    (tmp_path / "2026-01.pem").unlink()
    with pytest.raises(Unauthenticated):
        read(keys(None, tmp_path), token)


@pytest.mark.parametrize("make", ["none", "both", "empty", "no pem", "rsa", "another curve"])
def test_keys_that_cannot_be_used_are_refused_by_their_setting(tmp_path: Path, make: str):
    if make == "no pem":
        (tmp_path / "one.pem").write_text("nothing")
    if make == "rsa":
        a_key(tmp_path, "one", rsa.generate_private_key(65537, 2048))
    if make == "another curve":
        a_key(tmp_path, "one", ec.generate_private_key(ec.SECP384R1()))

    with pytest.raises(KeyProblem, match="JWT_"):
        keys(SECRET if make == "both" else None, None if make == "none" else tmp_path)


def test_keys_are_never_shown(held):
    assert SECRET not in repr(held)
    assert "PRIVATE" not in repr(held)


class Users:
    """One user, counted."""

    def __init__(self) -> None:
        self.user: User | None = USER
        self.reads = 0

    async def get(self, address: str) -> User | None:
        self.reads += 1
        return self.user


async def test_a_token_ends_with_its_epoch_its_role_and_its_user(held):
    token = issue(held, USER, "t1", now())
    users = Users()

    assert (await StoredVerifier(held, users, 0).verify(token)).address == ACCOUNT  # type: ignore[arg-type]
    for user in (replace(USER, token_epoch=4), replace(USER, role=UserRole.ADMIN), None):
        users.user = user
        with pytest.raises(Unauthenticated):
            await StoredVerifier(held, users, 0).verify(token)  # type: ignore[arg-type]


async def test_a_user_is_remembered_for_a_moment_and_not_for_ever(held):
    users, token = Users(), issue(held, USER, "t1", now())
    long, short = StoredVerifier(held, users, 3600), StoredVerifier(held, users, 0)  # type: ignore[arg-type]

    for _ in range(5):
        await long.verify(token)
    assert users.reads == 1
    for _ in range(5):
        await short.verify(token)
    assert users.reads > 2


async def test_while_the_store_is_away_nobody_is_let_in_and_nobody_is_called_a_liar(held):
    stores = MemoryStores(now)
    stores.database.unavailable = True

    with pytest.raises(StoreUnavailable):
        await StoredVerifier(held, stores.users, 0).verify(issue(held, USER, "t1", now()))


class Told:
    """What was noted of refusals."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str, str]] = []

    def note(self, reason: str, subject: str) -> None:
        self.refusals.append((reason, subject))


def bent(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-8]}{'A' if signature[-8] != 'A' else 'B'}{signature[-7:]}"


LONG_AGO, SOME_DAY = timedelta(days=-2), timedelta(days=2)
REFUSED = {
    "expired": (lambda held: forged(held, exp=now() + LONG_AGO), ACCOUNT),
    "too_early": (lambda held: forged(held, nbf=now() + SOME_DAY), ACCOUNT),
    "wrong_audience": (lambda held: forged(held, aud="ws"), ACCOUNT),
    "wrong_issuer": (lambda held: forged(held, iss="somebody"), ACCOUNT),
    "wrong_claims": (lambda held: forged(held, jti=...), ""),
    "unknown_key": (lambda held: forged(held, headers={"kid": "stranger"}), ""),
    "other_type": (lambda held: forged(held, headers={"typ": "JWT"}), ""),
    "bad_signature": (lambda held: bent(issue(held, USER, "t1", now())), ""),
    "too_long": (lambda _: "a" * (LONGEST + 1), ""),
    "malformed": (lambda _: "no token at all", ""),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_refused_token_is_counted_by_its_reason_and_by_whom_our_own_key_says_it_is_of(held, why):
    make, subject = REFUSED[why]
    told = Told()

    with pytest.raises(Unauthenticated) as refusal:
        await StoredVerifier(held, Users(), 0, told).verify(make(held))  # type: ignore[arg-type]

    assert told.refusals == [(why, subject)]
    assert refusal.value.text == "a valid token is required"


async def test_a_revoked_token_is_counted_and_a_good_one_is_not(held):
    users, told = Users(), Told()
    verifier = StoredVerifier(held, users, 0, told)  # type: ignore[arg-type]
    await verifier.verify(issue(held, USER, "t1", now()))
    assert told.refusals == []

    users.user = replace(USER, token_epoch=4)
    with pytest.raises(Unauthenticated):
        await verifier.verify(issue(held, USER, "t1", now()))

    assert told.refusals == [("revoked", ACCOUNT)]
