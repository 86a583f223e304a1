"""What the engine reads from its environment."""

from pydantic import Field

from services.common.settings import (
    AccountSettings,
    CommonSettings,
    Listen,
    SignerTarget,
    StoreSettings,
    VenueSettings,
)


class EngineSettings(CommonSettings, StoreSettings, VenueSettings, AccountSettings, SignerTarget):
    """Field `x` is the variable `X`."""

    engine_listen: Listen = Field("127.0.0.1:50052", description="Where EngineService listens")
    monitor_target: str = Field("127.0.0.1:50051", description="MonitorService, whose announcements wake the engine")
    engine_lease_ms: int = Field(5_000, ge=1_000, description="How long a claim holds; renewed three times as often")
    engine_at_once: int = Field(16, ge=1, le=200, description="Copies in hand at once, for each account")
