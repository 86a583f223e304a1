"""The mesh's certificates, as the settings name them."""

from collections.abc import Sequence

from services.common.rpc.server import Tls
from services.common.settings import MeshSettings

FILES = ("mesh_ca_file", "mesh_cert_file", "mesh_key_file")
NAMES = ", ".join(name.upper() for name in FILES)


def tls_of(settings: MeshSettings) -> Tls | None:
    """What this service serves with, and calls everyone but the signer with; None in plain text on loopback."""
    return certificate_of(settings) if settings.mesh_tls == "all" else None


def certificate_of(settings: MeshSettings) -> Tls | None:
    """This service's certificate; None where it has none."""
    authority, certificate, key = settings.mesh_ca_file, settings.mesh_cert_file, settings.mesh_key_file
    return Tls(authority, certificate, key) if authority and certificate and key else None


def mesh_problems(settings: MeshSettings) -> Sequence[str]:
    """What keeps the mesh's certificates from being used."""
    files = {name.upper(): getattr(settings, name) for name in FILES}
    given = {name: path for name, path in files.items() if path is not None}
    if given and len(given) < len(files):
        return [f"{NAMES}: all three or none"]
    return [f"{name}: {path} is no file" for name, path in given.items() if not path.is_file()]


def signer_problems(settings: MeshSettings) -> Sequence[str]:
    """What keeps a service from proving itself to the signer, which asks everyone for a certificate."""
    if problems := mesh_problems(settings):
        return problems
    return () if certificate_of(settings) else [f"{NAMES}: required, the signer speaks mTLS alone"]
