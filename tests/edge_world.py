"""A real Envoy with the project's own envoy.yaml, where only host names, ports and the certificate differ."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.cli.child import free_port, start
from tests.patience import PATIENT_S

ROOT = Path(__file__).parents[1]
ENVOY = Path(sys.prefix, "bin", "envoy")


def config() -> dict[str, Any]:
    """The checked-in configuration."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "envoy.yaml").read_text())
    return loaded


@dataclass(slots=True)
class Edge:
    """A running Envoy. `certificate` is what its clients trust."""

    port: int
    certificate: Path

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def http(self, **more: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{self.port}", verify=self.trust, timeout=PATIENT_S, **more
        )


@asynccontextmanager
async def edge(folder: Path, upstreams: dict[str, int]) -> AsyncIterator[Edge]:
    """Run Envoy in front of `upstreams` (`host:port` as the file names them, and where they are on loopback)."""
    certificate = write_certificate(folder)
    port, admin, metrics = free_port(), free_port(), free_port()
    made = localized(config(), folder, upstreams, {8443: port, 9901: admin, 9902: metrics})
    (folder / "envoy.yaml").write_text(yaml.safe_dump(made))
    arguments = [
        "-c",
        str(folder / "envoy.yaml"),
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]
    child = await start("envoy", [str(ENVOY), *arguments], folder / "envoy.log")
    try:
        async with asyncio.timeout(PATIENT_S), httpx.AsyncClient() as http:
            while True:
                try:
                    if (await http.get(f"http://127.0.0.1:{admin}/ready")).text.strip() == "LIVE":
                        break
                except httpx.HTTPError:
                    child.check()
                await asyncio.sleep(0.05)
        yield Edge(port, certificate)
    finally:
        await child.stop(5.0)


def localized(made: dict[str, Any], folder: Path, upstreams: dict[str, int], own: dict[int, int]) -> dict[str, Any]:
    """The configuration for this machine: nothing but addresses and files is changed."""
    for address in addresses_in(made):
        host, port = address["address"], address["port_value"]
        address["address"] = "127.0.0.1"
        address["port_value"] = own[port] if port in own else upstreams[f"{host}:{port}"]
    text = yaml.safe_dump(made)
    text = text.replace("deploy/edge/tls.yaml", str(folder / "tls.yaml"))
    text = text.replace("gen/polycopy/descriptors.binpb", str(ROOT / "gen/polycopy/descriptors.binpb"))
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def addresses_in(part: Any) -> list[dict[str, Any]]:
    """Every socket address below a part of the configuration."""
    if isinstance(part, list):
        return [found for one in part for found in addresses_in(one)]
    if not isinstance(part, dict):
        return []
    here = [part["socket_address"]] if "socket_address" in part else []
    return here + [found for name, one in part.items() if name != "socket_address" for found in addresses_in(one)]


def write_certificate(folder: Path) -> Path:
    """A certificate for loopback, and the file that tells Envoy where it is."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    alternatives = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "edge.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "edge.key").write_bytes(private_pem(key))
    told = (ROOT / "deploy/edge/tls.yaml").read_text().replace("secrets/", f"{folder}/")
    (folder / "tls.yaml").write_text(told)
    return folder / "edge.crt"


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as PKCS #8."""
    encryption = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
