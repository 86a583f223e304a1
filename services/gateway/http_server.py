"""The HTTP server, in the loop of the process that owns it: signals and the log are not its business."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from services.gateway.patience import Connection, Socket

BACKLOG = 512
PING_S = 20.0
MAX_INBOUND = 4096
GRACE_S = 5
# Longer than the edge keeps an idle connection: a request must not meet one that is being closed.
KEEP_ALIVE_S = 75


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        # The process has its own handlers, which set one event for all that it runs.
        yield


class HttpServer:
    """A server that listens already on `port`. Making one raises OSError when the port is taken."""

    def __init__(self, app: ASGIApp, host: str, port: int, trusted_proxies: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self.port = int(self._socket.getsockname()[1])
        self._server = _Quiet(
            uvicorn.Config(
                app,
                loop="none",
                http=Connection,
                ws=Socket,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                ws_max_size=MAX_INBOUND,
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                ws_per_message_deflate=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer."""
        self._serving = asyncio.create_task(self._server.serve([self._socket]))

    async def stop(self) -> None:
        """Take nothing new, and end when what is under way has ended, or after a few seconds."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._socket.close()
