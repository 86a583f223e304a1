"""What the gateway reads from its environment."""

from pydantic import Field

from services.common.settings import Addresses, CommonSettings, Listen, StoreSettings, VenueSettings


class GatewaySettings(CommonSettings, StoreSettings, VenueSettings):
    """Field `x` is the variable `X`."""

    api_host: str = Field("127.0.0.1", min_length=1, description="Where REST and the WebSocket listen")
    api_port: int = Field(3001, ge=0, le=65535, description="Their port; 0 takes a free one")
    gateway_listen: Listen = Field("127.0.0.1:50054", description="Where AuthService listens")
    gateway_target: Listen | None = Field(
        None, description="How the gateway reaches its own AuthService; on loopback unless set"
    )
    monitor_target: Listen = Field("127.0.0.1:50051", description="MonitorService")
    engine_target: Listen = Field("127.0.0.1:50052", description="EngineService")
    reconciler_target: Listen = Field("127.0.0.1:50053", description="ReconcilerService")
    admin_addresses: Addresses = Field(
        "", description="Wallets that log in as admin, comma separated; all others are users"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="Where people reach the gateway; it stands in the message that they sign",
    )
    cors_origin: str = Field(
        "", description="Origins whose pages may call from a browser, comma separated; empty for none"
    )
    enable_api_docs: bool = Field(True, description="Serve /api/docs and /openapi.json")
    trusted_proxies: str = Field(
        "", description="Addresses or networks whose X-Forwarded-For is believed, comma separated; empty for none"
    )
    sockets_per_user: int = Field(
        5, ge=1, le=1000, description="WebSockets and event streams one user may hold open here"
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """The browser origins that may call."""
        return tuple(part.strip() for part in self.cors_origin.split(",") if part.strip())

    @property
    def url(self) -> str:
        """The public address."""
        return self.public_url or f"http://{self.api_host}:{self.api_port}"
