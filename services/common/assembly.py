"""The parts that every service's `app` is put together from."""

import secrets
import socket
from collections.abc import Sequence

from services.common.cache import RedisCache
from services.common.clock import SystemClock
from services.common.mesh import certificate_of, mesh_problems, signer_problems, tls_of
from services.common.polymarket.environment import Endpoints, endpoints
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.refusals import Refusals
from services.common.rpc.caller import Identity
from services.common.rpc.channel import Mesh
from services.common.rpc.remote_signer import SIGNER, SignerConnection
from services.common.settings import (
    Check,
    CommonSettings,
    MeshSettings,
    StoreSettings,
    TokenSettings,
    VenueSettings,
)
from services.common.store.client import MongoStores
from services.common.tokens import KeyProblem, Keys, StoredVerifier, keys

VENUE_FIELDS = (
    "clob_url",
    "clob_ws_url",
    "data_api_url",
    "gamma_url",
    "rtds_url",
    "geoblock_url",
    "relayer_url",
    "rpc_url",
    "rpc_ws_url",
    "chain_id",
    "exchange_address",
    "neg_risk_exchange_address",
    "ctf_address",
    "collateral_address",
)


def stores_of(settings: StoreSettings, name: str) -> MongoStores:
    """The stores; nothing is asked of the database yet."""
    return MongoStores(settings.mongodb_uri.get_secret_value(), settings.mongodb_database, name=f"polycopy-{name}")


def endpoints_of(settings: VenueSettings) -> Endpoints:
    """The network's endpoints, with those replaced that are set."""
    return endpoints(settings.polycopy_network, {name: getattr(settings, name) for name in VENUE_FIELDS})


def cache_of(settings: StoreSettings) -> RedisCache:
    """The read cache that the services share."""
    return RedisCache(settings.redis_url.get_secret_value(), f"{settings.mongodb_database}:cache")


def keys_of(settings: TokenSettings) -> Keys:
    """The keys of access tokens. Raises `KeyProblem`."""
    return keys(settings.jwt_secret.get_secret_value() if settings.jwt_secret else None, settings.jwt_keys_dir)


def key_problems(settings: TokenSettings) -> Sequence[str]:
    """What keeps access tokens from being signed."""
    try:
        keys_of(settings)
    except KeyProblem as problem:
        return [str(problem)]
    return ()


def verifier_of(held: Keys, stores: Stores, clock: Clock) -> StoredVerifier:
    """Who reads access tokens; what it refuses is counted in the day's trail."""
    return StoredVerifier(held, stores.users, refusals=Refusals(stores.refused_tokens, clock))


def identity_of(settings: CommonSettings, stores: MongoStores) -> Identity:
    """Who may call this service."""
    return Identity(verifier_of(keys_of(settings), stores, SystemClock()), settings.mesh_secret.get_secret_value())


COMMON = (Check(TokenSettings, key_problems), Check(MeshSettings, mesh_problems))
"""What every service looks at besides its settings one by one."""

SIGNED = (Check(TokenSettings, key_problems), Check(MeshSettings, signer_problems))
"""The same of a service that calls the signer."""


def mesh_of(settings: CommonSettings, name: str) -> Mesh:
    """How this service calls others."""
    return Mesh(name, settings.mesh_secret.get_secret_value(), tls_of(settings))


def signer_of(settings: CommonSettings, name: str, target: str) -> SignerConnection:
    """The way to the signer. The service's certificate opens it; `SIGNED` has seen that there is one."""
    mesh = Mesh(name, "", certificate_of(settings))
    return SignerConnection(mesh.channel(target, [SIGNER]))


def instance(service: str) -> str:
    """A name for this process, unlike any other's."""
    return f"{service}@{socket.gethostname()}-{secrets.token_hex(3)}"  # chance: a name, nothing is decided by it
