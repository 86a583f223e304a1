"""The mesh's own certificate authority. Its leaves say which service somebody is (one SPIFFE id), and nothing else."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.common.rpc.caller import OPS
from services.common.rpc.server import Tls

SERVICES = ("monitor", "engine", "reconciler", "gateway", "signer")
PEERS = (*SERVICES, OPS)
ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=7)
EARLIER = timedelta(minutes=5)
"""Clocks differ: a certificate that was just made is good already."""

CERTIFICATE, KEY = "ca.crt", "ca.key"


class Authority:
    """One authority of one environment (`prod`, `local`): a certificate of another one opens nothing."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def made(cls, now: datetime) -> "Authority":
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "polycopy mesh")])
        unsigned = (
            _unsigned(name, name, key.public_key(), now, ROOT_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        return cls(key, unsigned.sign(key, hashes.SHA256()))

    @classmethod
    def kept(cls, folder: Path, now: datetime) -> "Authority":
        """The one whose files are in `folder`; made, and kept there, where none is. Raises ValueError where the files are no authority."""
        certificate, key = folder / CERTIFICATE, folder / KEY
        if key.exists() or certificate.exists():
            return cls.read(certificate, key)
        made = cls.made(now)
        written(key, made._key_pem())
        made.tell(folder)
        return made

    @classmethod
    def read(cls, certificate: Path, key: Path) -> "Authority":
        """The one of these files. Raises ValueError where they do not belong together, and OSError."""
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        root = x509.load_pem_x509_certificate(certificate.read_bytes())
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != root.public_key():
            raise ValueError(f"{certificate}: is not the certificate of {key}")
        return cls(private, root)

    def tell(self, folder: Path) -> Path:
        """Write the certificate that everyone of the mesh knows it by."""
        return written(folder / CERTIFICATE, self._certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def issue(self, name: str, folder: Path, now: datetime, *, environment: str, life: timedelta = LEAF_LIFE) -> Tls:
        """A new key and certificate of one peer in `folder`: `name.crt`, and `name.key` for its owner alone."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        # A server is known to its callers by the DNS name, a caller to servers by the URI.
        names = [x509.UniformResourceIdentifier(f"spiffe://polycopy/{environment}/{name}"), x509.DNSName(name)]
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([] if name == OPS else [ExtendedKeyUsageOID.SERVER_AUTH])]
        unsigned = (
            _unsigned(subject, self._certificate.subject, key.public_key(), now, life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        leaf = unsigned.sign(self._key, hashes.SHA256())
        return Tls(
            self.tell(folder),
            written(folder / f"{name}.crt", leaf.public_bytes(serialization.Encoding.PEM), mode=0o644),
            written(folder / f"{name}.key", _pem(key)),
        )

    def _key_pem(self) -> bytes:
        return _pem(self._key)


def certificates(
    authority: Authority,
    folder: Path,
    now: datetime,
    *,
    environment: str,
    life: timedelta = LEAF_LIFE,
    names: Sequence[str] = PEERS,
) -> dict[str, Tls]:
    """A certificate for each peer, in `folder`."""
    return {name: authority.issue(name, folder, now, environment=environment, life=life) for name in names}


def written(path: Path, content: bytes, *, mode: int = 0o600) -> Path:
    """Write a file that nobody but its owner could ever read in between, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)
    return path


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
