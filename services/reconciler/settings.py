"""What the reconciler reads from its environment."""

from pydantic import Field

from services.common.settings import (
    AccountSettings,
    CommonSettings,
    Listen,
    SignerTarget,
    StoreSettings,
    VenueSettings,
)


class ReconcilerSettings(CommonSettings, StoreSettings, VenueSettings, AccountSettings, SignerTarget):
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
