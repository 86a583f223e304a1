"""A stand-in for AWS KMS: `TrentService.GetPublicKey` and `TrentService.Sign` over its own protocol, for requests that are signed as AWS asks."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

ACCESS, SECRET, REGION = "AKIATESTTESTTEST", "a secret of the test", "eu-central-1"
KEY_ID = f"arn:aws:kms:{REGION}:111122223333:key/wallet"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Kms:
    """One key. `failing` names the error that it answers with; `high_s` says that every second signature has the larger s."""

    def __init__(self, url: str, key: bytes, spec: str) -> None:
        self.url = url
        self.key = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256K1())
        self.spec = spec
        self.failing = ""
        self.stranger = False
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._count = 0

    def answer(self, target: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((target, body))
        if self.failing:
            return 400, {"__type": self.failing, "message": "as the test wants it"}
        if body["KeyId"] != KEY_ID:
            return 400, {"__type": "NotFoundException", "message": "no such key"}
        match target:
            case "TrentService.GetPublicKey":
                spki = self.key.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
                known = {"KeyId": KEY_ID, "KeySpec": self.spec, "KeyUsage": "SIGN_VERIFY"}
                return 200, known | {"PublicKey": _text(spki), "SigningAlgorithms": ["ECDSA_SHA_256"]}
            case "TrentService.Sign":
                assert (body["MessageType"], body["SigningAlgorithm"]) == ("DIGEST", "ECDSA_SHA_256")
                return 200, {"KeyId": KEY_ID, "Signature": _text(self._signed(base64.b64decode(body["Message"])))}
            case _:
                return 400, {"__type": "UnknownOperationException"}

    def _signed(self, digest: bytes) -> bytes:
        key = ec.generate_private_key(ec.SECP256K1()) if self.stranger else self.key
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        self._count += 1
        # The real one knows nothing of low s: half of its signatures have the larger one.
        return encode_dss_signature(r, max(s, ORDER - s) if self._count % 2 else min(s, ORDER - s))


@contextmanager
def kms(key: bytes, spec: str = "ECC_SECG_P256K1") -> Iterator[Kms]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if not _signed_right(self.command, self.path, dict(self.headers.items()), body):
                status, answer = 403, {"__type": "IncompleteSignatureException", "message": "not signed so"}
            else:
                status, answer = made.answer(self.headers["x-amz-target"], json.loads(body))
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Kms(f"http://127.0.0.1:{server.server_port}", key, spec)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def settings(stand_in: Kms, secret: str = SECRET) -> dict[str, str]:
    """The environment that leads AWS's own tools there."""
    return {
        "AWS_ENDPOINT_URL_KMS": stand_in.url,
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _signed_right(verb: str, path: str, headers: dict[str, str], body: bytes) -> bool:
    """Signature version 4, computed anew from what came."""
    given = {name.lower(): value for name, value in headers.items()}
    parts = dict(part.strip().split("=", 1) for part in given["authorization"].partition(" ")[2].split(","))
    day, region, service = parts["Credential"].split("/")[1:4]
    names = parts["SignedHeaders"].split(";")
    canonical = "\n".join([
        verb, path, "", *(f"{name}:{given[name].strip()}" for name in names), "", ";".join(names), hashlib.sha256(body).hexdigest(),
    ])  # fmt: skip
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", given["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    needed = {"host", "x-amz-date", "x-amz-target"} <= set(names) and (region, service) == (REGION, "kms")
    return needed and hmac.compare_digest(signature, parts["Signature"])


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
