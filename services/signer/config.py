"""Which wallets the signer holds: where each one's key is, and what it may sign."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.common.config_file import ConfigError, Usdc, apart, read_table
from services.common.domain.money import micros
from services.common.polymarket.environment import Endpoints, endpoints
from services.common.settings import Address
from services.common.signing.key import Key, KeyRejected, LocalKey
from services.common.signing.key_file import read_key
from services.common.signing.keystore import read_keystore
from services.common.signing.kms import KmsKey
from services.signer.policy import Rules
from services.signer.settings import SignerSettings

EOA = 0


class WalletTable(BaseModel):
    """One wallet. Its key is in one of three places."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wallet: Address
    signature_type: Annotated[int, Field(strict=True, ge=0, le=3)] = EOA
    key_file: Path | None = None
    keystore_file: Path | None = None
    passphrase_file: Path | None = None
    kms_key: str | None = None
    max_order_usdc: Usdc = Decimal(250)
    max_order_shares: Usdc = Decimal(100_000)
    max_orders_per_second: Annotated[int, Field(strict=True, ge=1)] = 50
    max_orders_per_minute: Annotated[int, Field(strict=True, ge=1)] = 1_200
    max_lifetime_ms: Annotated[int, Field(strict=True, ge=1_000)] = 120_000

    @property
    def account_id(self) -> str:
        return self.wallet.lower()

    @model_validator(mode="after")
    def _one_key(self) -> "WalletTable":
        given = [one for one in (self.key_file, self.keystore_file, self.kms_key) if one]
        if len(given) != 1:
            raise ValueError("expected one of key_file, keystore_file and kms_key")
        if (self.keystore_file is None) is not (self.passphrase_file is None):
            raise ValueError("keystore_file and passphrase_file: both or none")
        return self

    def local_key(self) -> LocalKey | None:
        """The key, where it is in a file; None where KMS keeps it. Raises `KeyRejected`."""
        if self.key_file is not None:
            return LocalKey(read_key(self.key_file))
        if self.keystore_file is not None and self.passphrase_file is not None:
            return LocalKey(read_keystore(self.keystore_file, self.passphrase_file))
        return None

    async def key(self, kms: Any = None) -> Key:
        """The key, wherever it is. Raises `KeyRejected` and `KeyUnavailable`. `kms`: a client of it."""
        return self.local_key() or await KmsKey.open(self.kms_key or "", kms)

    def checked(self, key: Key) -> None:
        """Raise `KeyRejected` for the key of another wallet."""
        own = key.address.lower() == self.wallet.lower()
        if own is not (self.signature_type == EOA):
            expected = "its own key" if self.signature_type == EOA else "its owner's key"
            raise KeyRejected(f"{self.wallet}: expected {expected}, found the key of {key.address}")

    def rules(self, key: Key, venue: Endpoints) -> Rules:
        """What this key may sign for the wallet."""
        return Rules(
            wallet=self.wallet.lower(),
            key=key.address.lower(),
            signature_type=self.signature_type,
            chain_id=venue.chain_id,
            exchanges=exchanges(venue),
            max_order_micros=micros(self.max_order_usdc),
            max_shares_micros=micros(self.max_order_shares),
            max_per_second=self.max_orders_per_second,
            max_per_minute=self.max_orders_per_minute,
            max_lifetime_ms=self.max_lifetime_ms,
        )


class SignerFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wallets: Annotated[tuple[WalletTable, ...], AfterValidator(apart)]


def tables(settings: SignerSettings) -> tuple[WalletTable, ...]:
    """The wallets of the file, or the one of the settings. Raises `ConfigError`."""
    if settings.signer_config is not None:
        return read_table(SignerFile, settings.signer_config).wallets
    if settings.proxy_wallet is None:
        raise ConfigError(["SIGNER_CONFIG or PROXY_WALLET: one of them is required"])
    return (_one(settings, settings.proxy_wallet),)


def config_problems(settings: SignerSettings) -> Sequence[str]:
    """What keeps the wallets from being signed for; keys in files are read, those of KMS are not asked for."""
    try:
        return [problem for table in tables(settings) for problem in _key_problems(table)]
    except ConfigError as error:
        source = "SIGNER_CONFIG: " if settings.signer_config else ""
        return [f"{source}{problem}" for problem in error.problems]


def venue_of(settings: SignerSettings) -> Endpoints:
    """The network's contracts, with those replaced that are set."""
    return endpoints(
        settings.polycopy_network,
        {
            "chain_id": settings.chain_id,
            "exchange_address": settings.exchange_address,
            "neg_risk_exchange_address": settings.neg_risk_exchange_address,
        },
    )


def exchanges(venue: Endpoints) -> frozenset[tuple[str, str]]:
    """The contracts that orders may be for."""
    return frozenset({
        (venue.exchange_address.lower(), "2"),
        (venue.neg_risk_exchange_address.lower(), "2"),
        (venue.exchange_v3_address.lower(), "3"),
    })  # fmt: skip


def _one(settings: SignerSettings, wallet: str) -> WalletTable:
    names = {
        "key_file": settings.private_key_file,
        "keystore_file": settings.keystore_file,
        "passphrase_file": settings.keystore_passphrase_file,
        "kms_key": settings.kms_key_id,
    }
    given = [name for name in ("key_file", "keystore_file", "kms_key") if names[name]]
    if len(given) != 1:
        raise ConfigError(["PRIVATE_KEY_FILE, KEYSTORE_FILE, KMS_KEY_ID: one of them is required with PROXY_WALLET"])
    if (names["keystore_file"] is None) is not (names["passphrase_file"] is None):
        raise ConfigError(["KEYSTORE_FILE, KEYSTORE_PASSPHRASE_FILE: both or none"])
    return WalletTable.model_validate({"wallet": wallet, **names})


def _key_problems(table: WalletTable) -> Sequence[str]:
    try:
        key = table.local_key()
        if key is not None:
            table.checked(key)
    except KeyRejected as error:
        return [str(error)]
    return ()
