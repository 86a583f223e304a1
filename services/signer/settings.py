"""What the signer reads from its environment: its keys, its certificate, the exchanges. No database, no cache, no token."""

from pathlib import Path

from pydantic import Field

from services.common.settings import Address, Listen, MeshSettings, TelemetrySettings, VenueSettings


class SignerSettings(MeshSettings, TelemetrySettings, VenueSettings):
    """Field `x` is the variable `X`."""

    signer_listen: Listen = Field("127.0.0.1:50055", description="Where SignerService listens, always with mTLS")
    signer_state_dir: Path = Field(
        Path("run/signer"), description="The signer's own memory: what it has signed, and its halts"
    )
    signer_config: Path | None = Field(
        None, description="TOML file of wallets, their keys and what each may sign; or one wallet by the settings below"
    )
    proxy_wallet: Address | None = Field(None, description="The wallet that trades")
    private_key_file: Path | None = Field(
        None, description="File with the wallet's key (0x-hex), readable by its owner alone; read by the signer only"
    )
    keystore_file: Path | None = Field(
        None, description="Or its keystore, version 3 with scrypt; read by the signer only"
    )
    keystore_passphrase_file: Path | None = Field(None, description="File with the passphrase of that keystore")
    kms_key_id: str | None = Field(None, description="Or the id of its key in AWS KMS (ECC_SECG_P256K1)")
