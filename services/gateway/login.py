"""Logging in by a signed EIP-4361 message that the server writes (security.md 1)."""

import secrets
from datetime import datetime, timedelta

from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct
from eth_utils.address import is_hex_address, to_checksum_address
from siwe import SiweMessage  # pyright: ignore[reportMissingTypeStubs]

from services.common.domain.user import Nonce, User, UserRole
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.rpc.errors import InvalidArgument, LoginRefused
from services.common.tokens import Keys, issue

NONCE_LIFETIME = timedelta(minutes=5)
NONCE_BYTES = 16
SIGNATURE_CHARACTERS = 132
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Login:
    """Writes messages, checks signatures, issues tokens. `admins` are lower-case addresses; nobody else is ever one."""

    def __init__(
        self, stores: Stores, keys: Keys, clock: Clock, *, admins: frozenset[str], domain: str, uri: str, chain_id: int
    ) -> None:
        self._stores = stores
        self._keys = keys
        self._clock = clock
        self._admins = admins
        self._domain = domain
        self._uri = uri
        self._chain_id = chain_id

    async def nonce(self, address: str) -> Nonce:
        """A fresh message for `address`, kept until it is used or five minutes old."""
        checked = _address(address)
        now = self._clock.now()
        value = secrets.token_hex(NONCE_BYTES)
        message = SiweMessage.model_validate(
            {
                "domain": self._domain,
                "address": checked,
                "statement": "Log in to PolyCopy. This signs no transaction and costs nothing.",
                "uri": self._uri,
                "version": "1",
                "chain_id": self._chain_id,
                "nonce": value,
                "issued_at": _instant(now),
                "expiration_time": _instant(now + NONCE_LIFETIME),
            }
        )
        kept = Nonce(value, checked.lower(), message.prepare_message(), now + NONCE_LIFETIME)
        await self._stores.nonces.add(kept)
        return kept

    async def login(self, address: str, signature: str, nonce: str) -> tuple[str, User]:
        """A token and the user it is for. Raises `LoginRefused`, whatever the cause; a message is used up before a token is made.

        Either is in the day's trail before it is answered.
        """
        checked = _address(address).lower()
        try:
            user = await self._proven(checked, signature, nonce)
        except LoginRefused:
            await self._stores.log_ins.note(checked, "login_refused", self._clock.now())
            raise
        now = self._clock.now()
        await self._stores.log_ins.note(checked, f"login:{user.role}", now)
        return issue(self._keys, user, secrets.token_hex(NONCE_BYTES), now), user

    async def _proven(self, checked: str, signature: str, nonce: str) -> User:
        now = self._clock.now()
        if nonce:
            # Taken at once: whoever knows the nonce is the one who asked for it, and no flood of others pushes it out.
            used = await self._stores.nonces.consume(nonce, checked, now)
            if used is None or signed_by(used.message, signature) != checked:
                raise LoginRefused
            return await self._welcome(checked)
        for candidate in await self._stores.nonces.open_for(checked, now):
            if signed_by(candidate.message, signature) == checked:
                if await self._stores.nonces.consume(candidate.nonce, checked, now) is None:
                    break
                return await self._welcome(checked)
        raise LoginRefused

    async def logout(self, address: str) -> None:
        """Revoke every token of the user."""
        await self._stores.users.advance_epoch(address, self._clock.now())

    async def _welcome(self, address: str) -> User:
        role = UserRole.ADMIN if address in self._admins else UserRole.USER
        return await self._stores.users.upsert(User(address, role, 1, self._clock.now()))


def signed_by(message: str, signature: str) -> str | None:
    """The lower-case address whose key signed `message` (EIP-191); None for a signature that is malformed or malleable."""
    if len(signature) != SIGNATURE_CHARACTERS or not signature.startswith("0x"):
        return None
    try:
        raw = bytes.fromhex(signature[2:])
        if int.from_bytes(raw[32:64], "big") > HALF_ORDER or raw[64] not in {0, 1, 27, 28}:
            return None
        return str(EthAccount.recover_message(encode_defunct(text=message), signature=raw)).lower()
    except Exception:  # noqa: BLE001  whatever the library makes of hostile bytes, it is no signature
        return None


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _address(address: str) -> str:
    if not (address.startswith("0x") and is_hex_address(address)):
        raise InvalidArgument("address", "20 bytes of 0x-hex")
    return str(to_checksum_address(address))
