"""A key that never leaves AWS KMS (`ECC_SECG_P256K1`): digests go there, signatures come back.

Needs the extra `kms`; region and credentials are found as AWS's own tools find them (AWS_REGION, a role, a profile).
"""

import asyncio
from importlib import import_module
from typing import Any, cast

from coincurve import PublicKey
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from services.common.signing.key import KeyRejected, KeyUnavailable, address_of

ALGORITHM = "ECDSA_SHA_256"
SPEC = "ECC_SECG_P256K1"
TIMEOUT_S = 1.0
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class KmsKey:
    """One key of KMS. The same digest is signed differently each time; an order's id does not depend on it."""

    def __init__(self, client: Any, key_id: str, public: bytes) -> None:
        self._client = client
        self._key_id = key_id
        self._public = public
        self._address = address_of(public)

    @classmethod
    async def open(cls, key_id: str, client: Any = None) -> "KmsKey":
        """The key of this id, alias or ARN. Raises `KeyRejected` for one that cannot sign for a wallet, and `KeyUnavailable`."""
        client = client or _client(key_id)
        answer = await asyncio.to_thread(_asked, client.get_public_key, KeyId=key_id)
        if answer.get("KeySpec") != SPEC or answer.get("KeyUsage") != "SIGN_VERIFY":
            raise KeyRejected(f"{key_id}: expected a key of {SPEC} for SIGN_VERIFY")
        return cls(client, key_id, _point(key_id, answer["PublicKey"]))

    def __repr__(self) -> str:
        return f"KmsKey({self._address})"

    @property
    def address(self) -> str:
        return self._address

    async def sign(self, digest: bytes) -> str:
        answer = await asyncio.to_thread(
            _asked,
            self._client.sign,
            KeyId=self._key_id,
            Message=digest,
            MessageType="DIGEST",
            SigningAlgorithm=ALGORITHM,
        )
        return recoverable(answer["Signature"], digest, self._public)


def recoverable(der: bytes, digest: bytes, public: bytes) -> str:
    """A DER signature as Ethereum takes it: a low s, and which of the two points it came from. Raises `KeyUnavailable` for another key's."""
    try:
        r, s = decode_dss_signature(der)
        body = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
    except (ValueError, OverflowError) as error:
        raise KeyUnavailable("KMS answered with no signature") from error
    for parity in (0, 1):
        try:
            found = PublicKey.from_signature_and_message(body + bytes([parity]), digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]
        except ValueError:
            continue
        if found.format(compressed=False) == public:
            return "0x" + body.hex() + f"{parity + 27:02x}"
    raise KeyUnavailable("KMS answered with another key's signature")


def _asked(method: Any, **arguments: Any) -> dict[str, Any]:
    errors = _boto("exceptions")
    try:
        return cast("dict[str, Any]", method(**arguments))
    except (errors.BotoCoreError, errors.ClientError) as error:
        raise KeyUnavailable(f"KMS: {str(error)[:200]}") from error


def _client(key_id: str) -> Any:
    try:
        session = _boto("session").get_session()
    except ImportError:
        raise KeyRejected(f"{key_id}: keys of KMS need the extra `kms`: pip install 'polycopy[kms]'") from None
    # An ARN names its region: arn:aws:kms:eu-central-1:111122223333:key/…
    region = key_id.split(":")[3] if key_id.startswith("arn:") and key_id.count(":") >= 5 else None
    # A signature that comes late is of no use, and the engine asks again by itself.
    config = _boto("config").Config(
        connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"total_max_attempts": 1}
    )
    return session.create_client("kms", region_name=region, config=config)


def _boto(name: str) -> Any:
    """A module of the extra, which carries no types."""
    return import_module(f"botocore.{name}")


def _point(key_id: str, spki: bytes) -> bytes:
    try:
        key = load_der_public_key(spki)
    except ValueError as error:
        raise KeyRejected(f"{key_id}: KMS answered with no public key") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256K1):
        raise KeyRejected(f"{key_id}: expected a key of {SPEC}")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
