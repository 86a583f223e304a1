"""How an operator calls the mesh: with his certificate where the settings name one, in plain text from loopback otherwise."""

from collections.abc import Sequence

from grpc import aio
from pydantic import ValidationError

from services.cli.failure import CannotRun
from services.common.mesh import NAMES, certificate_of, mesh_problems, tls_of
from services.common.rpc.caller import OPS
from services.common.rpc.channel import Mesh
from services.common.rpc.server import Tls
from services.common.settings import MeshSettings, problems, read


def channel(target: str, services: Sequence[str], tls: Tls | None = None) -> aio.Channel:
    """A channel to any service but the signer, with the certificate that is given or set. Raises `CannotRun` where the settings of it
    are wrong."""
    tls = tls or tls_of(_settings())
    return aio.insecure_channel(target) if tls is None else _shown(tls, target, services)


def shown(target: str, services: Sequence[str]) -> aio.Channel:
    """A channel on which the operator's certificate is shown whatever the rest of the mesh does; the signer asks for it.

    Raises `CannotRun` where there is none.
    """
    tls = certificate_of(_settings())
    if tls is None:
        raise CannotRun(f"{NAMES}: the operator's certificate is required for this")
    return _shown(tls, target, services)


def _shown(tls: Tls, target: str, services: Sequence[str]) -> aio.Channel:
    return Mesh(OPS, "", tls).channel(target, services)


def _settings() -> MeshSettings:
    try:
        settings = read(MeshSettings)
    except ValidationError as error:
        raise CannotRun("; ".join(problems(error))) from error
    if wrong := mesh_problems(settings):
        raise CannotRun("; ".join(wrong))
    return settings
