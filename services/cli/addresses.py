"""Where the parts of one local mesh listen."""

from collections.abc import Collection
from dataclasses import dataclass, fields

from services.cli.child import free_port, is_free

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Addresses:
    """A port on loopback for each part; the defaults are those that the documentation names."""

    api: int = 3001
    monitor: int = 50051
    engine: int = 50052
    reconciler: int = 50053
    gateway: int = 50054
    signer: int = 50055
    venue: int = 8900
    node: int = 8901
    mongod: int = 27117
    valkey: int = 6479

    @classmethod
    def free(cls) -> "Addresses":
        """Ports that nobody listens on now, so that several meshes can run beside each other."""
        taken: dict[str, int] = {}
        for field in fields(cls):
            port = free_port()
            while port in taken.values():
                port = free_port()
            taken[field.name] = port
        return cls(**taken)

    def taken(self, elsewhere: Collection[str] = ()) -> tuple[str, ...]:
        """The ports that something else listens on now, each with its part's name; parts that run `elsewhere` need none."""
        names = (field.name for field in fields(self) if field.name not in elsewhere)
        return tuple(f"{getattr(self, name)} ({name})" for name in names if not is_free(getattr(self, name)))

    def target(self, name: str) -> str:
        """`host:port` of a part."""
        return f"{HOST}:{getattr(self, name)}"

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.api}"

    @property
    def venue_url(self) -> str:
        return f"http://{HOST}:{self.venue}"

    @property
    def node_url(self) -> str:
        return f"http://{HOST}:{self.node}"

    def settings(self) -> dict[str, str]:
        """The settings that tell services where each other and the venue are."""
        venue, socket = f"{HOST}:{self.venue}", f"ws://{HOST}:{self.venue}"
        return {
            "MONITOR_LISTEN": self.target("monitor"),
            "ENGINE_LISTEN": self.target("engine"),
            "RECONCILER_LISTEN": self.target("reconciler"),
            "GATEWAY_LISTEN": self.target("gateway"),
            "MONITOR_TARGET": self.target("monitor"),
            "ENGINE_TARGET": self.target("engine"),
            "RECONCILER_TARGET": self.target("reconciler"),
            "SIGNER_TARGET": self.target("signer"),
            "API_HOST": HOST,
            "API_PORT": str(self.api),
            "CLOB_URL": f"http://{venue}/clob",
            "CLOB_WS_URL": f"{socket}/ws",
            "DATA_API_URL": f"http://{venue}/data",
            "GAMMA_URL": f"http://{venue}/gamma",
            "RTDS_URL": f"{socket}/rtds",
            "RELAYER_URL": f"http://{venue}/relayer",
            "GEOBLOCK_URL": f"http://{venue}/api/geoblock",
            "RPC_URL": self.node_url,
            "RPC_WS_URL": f"ws://{HOST}:{self.node}",
        }
