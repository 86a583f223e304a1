"""The local venue for tests: a node and the venue on it, each its own process on a free port."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.cli.child import free_port
from tests.patience import PATIENT_S
from tests.venue_chain import node_process

READY_WITHIN_S = PATIENT_S
UNHANDLED = ("Exception in ASGI application", "background work has ended", "exception was never retrieved")
CUT_OFF = "timeout graceful shutdown exceeded"


@dataclass(frozen=True, slots=True)
class Venue:
    """Where a running venue and its node are."""

    url: str
    node_url: str

    @property
    def socket_url(self) -> str:
        return "ws" + self.url.removeprefix("http")

    async def node(self, method: str, *arguments: Any) -> Any:
        """One JSON-RPC call to the node."""
        async with httpx.AsyncClient(timeout=PATIENT_S) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(arguments)}
            return (await client.post(self.node_url, json=body)).json()["result"]


@contextmanager
def venue_process(*options: str, block_ms: int = 200) -> Generator[Venue]:
    """A venue that answers; a stop that fails, fails the test."""
    with node_process("--block-ms", str(block_ms)) as node_url, venue_on(node_url, *options) as venue:
        yield venue


@contextmanager
def venue_on(node_url: str, *options: str) -> Generator[Venue]:
    """A venue on a node that runs already."""
    port = free_port()
    command = (sys.executable, "-m", "services.venue", "--port", str(port), "--node", node_url, *options)
    with tempfile.TemporaryFile() as written, subprocess.Popen(command, stderr=written) as process:
        try:
            _await_ready(port, process, written)
            yield Venue(f"http://127.0.0.1:{port}", node_url)
        finally:
            process.terminate()
            process.wait(PATIENT_S)
        written.seek(0)
        told = written.read().decode()
        assert process.returncode == 0, told
        # Whatever a test does to it: an error that nobody handled is one of the venue's. A slow answer that the stop cuts off is none.
        unhandled = [
            line for line in told.splitlines() if any(one in line for one in UNHANDLED) and CUT_OFF not in line
        ]
        assert not unhandled, unhandled[-1][-6_000:]


def _await_ready(port: int, process: subprocess.Popen[bytes], written: Any) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/health", timeout=10) as answer:
                if json.load(answer)["status"] == "ok":
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    written.seek(0)
    raise AssertionError("the venue does not answer: " + written.read().decode()[-2_000:])
