"""What the monitor reads from its environment."""

from pydantic import Field

from services.common.settings import AccountSettings, CommonSettings, Listen, StoreSettings, VenueSettings


class MonitorSettings(CommonSettings, StoreSettings, VenueSettings, AccountSettings):
    """Field `x` is the variable `X`."""

    monitor_listen: Listen = Field("127.0.0.1:50051", description="Where MonitorService listens")
    monitor_sweep_ms: int = Field(2_000, ge=100, description="How often the chain is swept from the cursor")
    monitor_overlap_blocks: int = Field(32, ge=0, description="How many blocks a sweep goes back behind the cursor")
    monitor_poll_ms: int = Field(
        5_000, ge=250, description="How often every leader's trades are read from the Data API"
    )
    monitor_roster_ms: int = Field(2_000, ge=100, description="How often the follows are read again")
