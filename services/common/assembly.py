"""The parts that every service's `app` is put together from."""

import secrets
import socket

from services.common.cache import RedisCache
from services.common.polymarket.environment import Endpoints, endpoints
from services.common.rpc.caller import Identity
from services.common.rpc.channel import Mesh
from services.common.rpc.server import Tls
from services.common.settings import CommonSettings, StoreSettings, VenueSettings, refuse
from services.common.store.client import MongoStores
from services.common.tokens import KeyProblem, Keys, StoredVerifier, keys

VENUE_FIELDS = (
    "clob_url",
    "clob_ws_url",
    "data_api_url",
    "gamma_url",
    "rtds_url",
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


def keys_of(settings: CommonSettings) -> Keys:
    """The keys of access tokens; exits 2 naming the setting when they cannot be used."""
    try:
        return keys(settings.jwt_secret.get_secret_value() if settings.jwt_secret else None, settings.jwt_keys_dir)
    except KeyProblem as problem:
        refuse([str(problem)])


def identity_of(settings: CommonSettings, stores: MongoStores) -> Identity:
    """Who may call this service."""
    return Identity(StoredVerifier(keys_of(settings), stores.users), settings.mesh_secret.get_secret_value())


def tls_of(settings: CommonSettings) -> Tls | None:
    """The mesh's certificates; None in plain text on loopback. Exits 2 when only some of the three files are set."""
    files = (settings.mesh_ca_file, settings.mesh_cert_file, settings.mesh_key_file)
    authority, certificate, key = files
    if authority and certificate and key:
        return Tls(authority, certificate, key)
    if any(files):
        refuse(["MESH_CA_FILE, MESH_CERT_FILE, MESH_KEY_FILE: all three or none"])
    return None


def mesh_of(settings: CommonSettings, name: str) -> Mesh:
    """How this service calls others."""
    return Mesh(name, settings.mesh_secret.get_secret_value(), tls_of(settings))


def instance(service: str) -> str:
    """A name for this process, unlike any other's."""
    return f"{service}@{socket.gethostname()}-{secrets.token_hex(3)}"
