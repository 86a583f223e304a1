"""Settings from the environment: read once, in a service's `app`, and all problems reported at once by name."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EXIT_SETTINGS = 2

Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
Listen = Annotated[str, StringConstraints(pattern=r"^.+:\d{1,5}$")]
Addresses = Annotated[
    str, NoDecode, StringConstraints(pattern=r"^(\s*0x[0-9a-fA-F]{40}\s*(,\s*0x[0-9a-fA-F]{40}\s*)*)?$")
]


def _schemes(*schemes: str) -> AfterValidator:
    def known(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"expected {' or '.join(f'{scheme}://' for scheme in schemes)}…")
        return url

    return AfterValidator(known)


class Settings(BaseSettings):
    """Settings, or a part of them that can be read alone. Field `x` is the variable `X`; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)


S = TypeVar("S", bound=Settings)


class MeshSettings(Settings):
    """The certificates that services prove themselves to each other with."""

    mesh_ca_file: Path | None = Field(
        None, description="Certificate authority of the mesh; with it every service speaks mTLS"
    )
    mesh_cert_file: Path | None = Field(None, description="This service's certificate, its SPIFFE id in a URI SAN")
    mesh_key_file: Path | None = Field(None, description="The key of that certificate")
    mesh_tls: Literal["all", "signer"] = Field(
        "all", description="With certificates: `all` speak mTLS, or only to the signer and the rest in plain text"
    )


class TokenSettings(Settings):
    """What access tokens are signed with."""

    jwt_secret: SecretStr | None = Field(
        None, description="HS256 secret of at least 32 characters; or use JWT_KEYS_DIR", min_length=32
    )
    jwt_keys_dir: Path | None = Field(None, description="Folder of ES256 keys (PEM), newest signs; or use JWT_SECRET")


class TelemetrySettings(Settings):
    """What a process tells of itself."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus metrics on loopback; 0 turns them off")


class CommonSettings(MeshSettings, TokenSettings, TelemetrySettings):
    """What every service but the signer reads."""

    mesh_secret: SecretStr = Field(
        description="What services prove themselves to each other with on loopback; at least 16 characters",
        min_length=16,
    )


class StoreSettings(Settings):
    """The truth and the cache."""

    mongodb_uri: Annotated[SecretStr, _schemes("mongodb", "mongodb+srv")] = Field(
        description="MongoDB replica set, for example mongodb://127.0.0.1:27117/?replicaSet=rs0"
    )
    mongodb_database: str = Field("polycopy", pattern=r"^[A-Za-z0-9_-]{1,38}$", description="Database name")
    redis_url: Annotated[SecretStr, _schemes("redis", "rediss", "unix")] = Field(
        SecretStr("redis://127.0.0.1:6479/0"), description="Valkey or Redis, for limits and read caches only"
    )


class VenueSettings(Settings):
    """Where Polymarket and the chain are; the network's own addresses unless set."""

    polycopy_network: Literal["polygon", "amoy"] = Field("polygon", description="Whose addresses are the defaults")
    clob_url: str | None = Field(None, pattern="^https?://", description="CLOB REST")
    clob_ws_url: str | None = Field(None, pattern="^wss?://", description="CLOB WebSocket, without /market or /user")
    data_api_url: str | None = Field(None, pattern="^https?://", description="Data API")
    gamma_url: str | None = Field(None, pattern="^https?://", description="Gamma API")
    rtds_url: str | None = Field(None, pattern="^wss?://", description="Real-time data stream")
    relayer_url: str | None = Field(None, pattern="^https?://", description="Relayer of contract wallets")
    geoblock_url: str | None = Field(
        None, pattern="^https?://", description="Where the venue says what place we are at"
    )
    rpc_url: str | None = Field(None, pattern="^https?://", description="JSON-RPC of the chain")
    rpc_ws_url: str | None = Field(None, pattern="^wss?://", description="JSON-RPC over WebSocket, for subscriptions")
    chain_id: int | None = Field(None, gt=0, description="Chain id that orders are signed for")
    exchange_address: Address | None = Field(None, description="CTF exchange V2")
    neg_risk_exchange_address: Address | None = Field(None, description="Neg-risk exchange V2")
    ctf_address: Address | None = Field(None, description="Conditional tokens")
    collateral_address: Address | None = Field(None, description="pUSD")


class AccountSettings(Settings):
    """Who copies whom, where no database says so yet; afterwards the database is the truth."""

    user_addresses: Addresses = Field("", description="Leaders to follow, comma separated")
    proxy_wallet: Address | None = Field(None, description="The wallet that trades")
    polycopy_config: Path | None = Field(
        None, description="TOML file of accounts, follows and limits, imported at first start"
    )


class SignerTarget(Settings):
    """Who signs."""

    signer_target: Listen = Field("127.0.0.1:50055", description="SignerService, which holds the wallets' keys")


@dataclass(frozen=True, slots=True)
class Check:
    """What no single setting shows: `problems` judges `part`, once that part can be read."""

    part: type[Settings]
    problems: Callable[[Any], Sequence[str]]

    def found(self) -> Sequence[str]:
        """What is wrong; nothing where a setting of the part is, which has its own line."""
        try:
            part = self.part()
        except ValidationError:
            return ()
        return self.problems(part)


def read(settings: type[S]) -> S:
    """The settings. Raises `ValidationError` with every one that is missing or wrong."""
    return settings()


def load(settings: type[S], *checks: Check) -> S:
    """The settings, or exit 2 after naming every one that is missing or wrong."""
    further = [line for check in checks for line in check.found()]
    try:
        loaded = settings()
    except ValidationError as error:
        refuse([*problems(error), *further])
    return refuse(further) if further else loaded


def problems(error: ValidationError) -> list[str]:
    """One line per setting: its name and what was expected; never its value, which may be a secret."""
    return sorted(
        f"{'.'.join(str(part) for part in item['loc']).upper() or 'SETTINGS'}: {_expected(item['type'], item['msg'])}"
        for item in error.errors()
    )


def refuse(lines: list[str]) -> NoReturn:
    """Say what is wrong and end: a process with wrong settings must not run."""
    sys.stderr.write("settings are missing or wrong:\n" + "".join(f"  {line}\n" for line in lines))
    raise SystemExit(EXIT_SETTINGS)


def _expected(kind: str, message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return "required" if kind == "missing" else plain[0].lower() + plain[1:]


def addresses(text: str) -> tuple[str, ...]:
    """The lower-case addresses of a comma-separated list."""
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())
