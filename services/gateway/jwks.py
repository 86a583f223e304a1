"""The public halves of the token keys, as a JSON Web Key Set (RFC 7517)."""

from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm

from services.common.tokens import Keys


def jwks(keys: Keys) -> dict[str, Any]:
    """The set; empty where tokens are signed with a secret, which has no public half."""
    if keys.algorithm != "ES256":
        return {"keys": []}
    return {"keys": [_key(key_id, pem) for key_id, pem in sorted(keys.verifying.items())]}


def _key(key_id: str, pem: bytes) -> dict[str, Any]:
    public: Any = load_pem_public_key(pem)
    written: dict[str, Any] = ECAlgorithm.to_jwk(public, as_dict=True)
    return written | {"kid": key_id, "alg": "ES256", "use": "sig"}
