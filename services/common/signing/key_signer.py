"""The signer over a key at hand: it signs whatever its key may sign, and has no policy; the signer service puts one before it."""

from collections.abc import Callable

from services.common.domain.intent import Intent, OrderFields
from services.common.polymarket.deposit_wallet import nested_digest, nested_signature
from services.common.polymarket.eip712 import UnknownDomain, auth_digest, order_digest
from services.common.ports.signer import SignerAway, SignerRefused, SignerStanding
from services.common.signing.key import Key, KeyUnavailable

_CONTRACT_WALLETS = range(1, 4)
_DEPOSIT_WALLET = 3


class KeySigner:
    """`Signer` over any key: for the key's own address, and for the contract wallet that it is given, whatever the type of its signature."""

    __slots__ = ("_chain_id", "_key", "_wallet")

    def __init__(self, key: Key, chain_id: int, wallet: str = "") -> None:
        self._key = key
        self._chain_id = chain_id
        self._wallet = wallet.lower()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._key.address})"

    @property
    def address(self) -> str:
        return self._key.address

    @property
    def at_hand(self) -> bool:
        return True

    async def standing(self) -> SignerStanding:
        return SignerStanding.READY

    async def sign_intent(self, copy_id: str, intent: Intent) -> str:
        if intent.order_hash.lower() != "0x" + _digest(intent.fields).hex():
            raise SignerRefused("the order's id is not the hash of its fields")
        return await self.sign_order(intent.fields)

    async def sign_order(self, fields: OrderFields) -> str:
        """The signature of an order. Raises `SignerRefused` for one that is not this key's to sign, and `SignerAway`."""
        self._check(fields)
        if fields.signature_type == _DEPOSIT_WALLET:
            return nested_signature(fields, await self._sign(_digest(fields, nested_digest)))
        return await self._sign(_digest(fields))

    def _check(self, fields: OrderFields) -> None:
        """Raise `SignerRefused` for an order that is not this key's to sign."""
        if fields.signature_type not in {0, *_CONTRACT_WALLETS}:
            raise SignerRefused(f"signature type {fields.signature_type} is not known")
        own = self.address.lower()
        maker = self._wallet if fields.signature_type in _CONTRACT_WALLETS else own
        signer = maker if fields.signature_type == _DEPOSIT_WALLET else own
        if fields.signer.lower() != signer:
            raise SignerRefused(f"the order names another signer: {fields.signer}")
        if fields.maker.lower() != maker:
            raise SignerRefused(f"the order names another maker: {fields.maker}")
        if fields.chain_id != self._chain_id:
            raise SignerRefused(f"the order is for chain {fields.chain_id}")

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        return await self._sign(auth_digest(self.address, timestamp, nonce, self._chain_id))

    async def _sign(self, digest: bytes) -> str:
        try:
            return await self._key.sign(digest)
        except KeyUnavailable as error:
            raise SignerAway(str(error)) from error


def _digest(fields: OrderFields, of: Callable[[OrderFields], bytes] = order_digest) -> bytes:
    try:
        return of(fields)
    except (UnknownDomain, ValueError, OverflowError) as error:
        raise SignerRefused(str(error)) from error
