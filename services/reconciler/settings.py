"""What the reconciler reads from its environment."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from services.common.audit.key import AuditKey, AuditKeyRejected
from services.common.settings import (
    AccountSettings,
    Check,
    CommonSettings,
    Listen,
    Settings,
    SignerTarget,
    StoreSettings,
    VenueSettings,
)


class AuditSettings(Settings):
    """Where checkpoints of the audit trail go."""

    audit_file: Path | None = Field(
        None, description="File of signed checkpoints, on a volume other than the database's; with AUDIT_KEY_FILE"
    )
    audit_key_file: Path | None = Field(
        None, description="Ed25519 key (PEM, readable by its owner alone) that signs them; with AUDIT_FILE"
    )
    audit_changes: int = Field(1_000, ge=1, description="A checkpoint after so many changes of trails")
    audit_every_ms: int = Field(60_000, ge=100, description="Or after this time, whichever comes first")


class ReconcilerSettings(CommonSettings, StoreSettings, VenueSettings, AccountSettings, SignerTarget, AuditSettings):
    """Field `x` is the variable `X`."""

    reconciler_listen: Listen = Field("127.0.0.1:50053", description="Where ReconcilerService listens")
    reconciler_settle_ms: int = Field(1_000, ge=100, description="How often unsettled copies are looked at")
    reconciler_lease_ms: int = Field(
        30_000, ge=1_000, description="How long a reconciler that says nothing keeps an account to itself"
    )
    reconciler_compare_ms: int = Field(
        15_000, ge=500, description="How often the books are compared with the chain and the Data API"
    )
    reconciler_api_lag_ms: int = Field(
        60_000, ge=0, description="How long the Data API may take to show a change before it counts as a discrepancy"
    )


def audit_problems(settings: AuditSettings) -> Sequence[str]:
    """What keeps checkpoints from being written."""
    if (settings.audit_file is None) != (settings.audit_key_file is None):
        return ["AUDIT_FILE, AUDIT_KEY_FILE: both or none"]
    if settings.audit_file is None or settings.audit_key_file is None:
        return ()
    try:
        AuditKey.read(settings.audit_key_file)
    except AuditKeyRejected as error:
        return [f"AUDIT_KEY_FILE: {error}"]
    folder = settings.audit_file.parent
    return () if folder.is_dir() else [f"AUDIT_FILE: {folder} is no folder"]


AUDIT = Check(AuditSettings, audit_problems)
