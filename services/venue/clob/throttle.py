"""Where limits are asked: around every surface by address, and inside the CLOB by signer (venue.md 3.11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from eth_utils.address import is_address
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.venue.answer import answer
from services.venue.body import asked
from services.venue.clob.answers import Told, endpoint, tell
from services.venue.clob.gate import Gate
from services.venue.credentials import ApiKey
from services.venue.data.answers import rate_limited
from services.venue.faults.registry import Note
from services.venue.limits import SECOND_MS, TIERS, Admission, Buckets, Mode, Spent, Windows
from services.venue.refusals import Refusal

TOO_MANY = {"error": "Too Many Requests"}
# What strikes the same one again before so much time has passed is of one run, of which the first is noted.
RUN_MS = 10_000
MOST_RUNS = 1_000


class Runs:
    """Lines of what limits have done to whom."""

    def __init__(self, now_ms: Callable[[], int], note: Note) -> None:
        self._now_ms = now_ms
        self._note = note
        self._last: dict[tuple[str, str], int] = {}

    def strike(self, fault: str, who: str, **noted: Any) -> None:
        """Note it, unless the same has been done to him a moment ago."""
        now_ms, run = self._now_ms(), (fault, who)
        last = self._last.pop(run, None)
        self._last[run] = now_ms
        if len(self._last) > MOST_RUNS:
            del self._last[next(iter(self._last))]
        if last is None or now_ms - last > RUN_MS:
            self._note("fault", fault=fault, who=who, **noted)


class Limits:
    """The limits of one venue, off until they are turned on; nothing is counted before."""

    def __init__(self, now_ms: Callable[[], int], note: Note, mode: Mode = Mode.OFF) -> None:
        self._now_ms = now_ms
        self._note = note
        self._runs = Runs(now_ms, note)
        self._mode = mode
        self._windows = Windows()
        self._buckets = Buckets()

    def routes(self, gate: Gate) -> list[Route]:
        async def tier(request: Request) -> Any:
            return {"tier": self._buckets.tier((await gate.trader(request)).address).name}

        return [Route("/v1/user/rate-limit-tier", endpoint(tier))]

    def admin_routes(self) -> list[Route]:
        return [Route("/admin/limits", endpoint(self.set), methods=["POST"])]

    def admit(self, address: str, method: str, path: str) -> Admission:
        """Whether, and how soon, a request of this address is answered."""
        if self._mode is not Mode.ON:
            return Admission()
        admission = self._windows.admit(address, method, path, self._now_ms())
        if admission.retry_ms:
            self._runs.strike("limit_refuse", address, method=method, path=path, ms=admission.retry_ms)
        elif admission.delay_ms:
            self._runs.strike("limit_delay", address, method=method, path=path, ms=admission.delay_ms)
        return admission

    def spend(self, request: Request, key: ApiKey, cost: int, *, cancels: bool) -> None:
        """Count orders or cancels of a signer, and tell him where he stands. Raises `Told` where they are too many."""
        if self._mode is Mode.OFF:
            return
        enforced = self._mode is Mode.ON
        spent = self._buckets.spend(key.address, cost, self._now_ms(), cancels=cancels, enforced=enforced)
        tell(request, self._headers(spent))
        if enforced and not spent.fits:
            noted = {"method": request.method, "path": request.url.path, "ms": spent.wait_ms}
            self._runs.strike("limit_refuse", key.address, **noted)
            raise Told(TOO_MANY, 429, {"Retry-After": _seconds(spent.wait_ms)})

    def owe(self, request: Request, key: ApiKey, cost: int) -> None:
        """Count what a cancel without a list has cancelled."""
        if self._mode is not Mode.OFF:
            left = self._buckets.owe(key.address, cost, self._now_ms())
            tell(request, {"Poly-RateLimit-Remaining": str(left)})

    async def set(self, request: Request) -> Any:
        """`mode`, and the `tier` of a `signer`."""
        body = await asked(request, "mode", "signer", "tier")
        mode, signer, tier = body.get("mode", str(self._mode)), body.get("signer", ""), body.get("tier", "Standard")
        if mode not in list(Mode):
            raise Refusal(f"mode: expected one of {', '.join(Mode)}")
        if signer and not is_address(signer):
            raise Refusal("signer: expected an address")
        if tier not in TIERS:
            raise Refusal(f"tier: expected one of {', '.join(TIERS)}")
        if mode != self._mode:
            self._windows, self._buckets, self._runs = Windows(), Buckets(), Runs(self._now_ms, self._note)
        self._mode = Mode(mode)
        if signer:
            self._buckets.assign(str(signer), tier)
        named = {"signer": signer, "tier": tier} if signer else {}
        self._note("switched", name="limits", values={"mode": mode, **named})
        return {"mode": self._mode}

    def _headers(self, spent: Spent) -> dict[str, str]:
        reset = (self._now_ms() + spent.wait_ms + SECOND_MS - 1) // SECOND_MS
        warned = {"Poly-RateLimit-Warning": "true"} if self._mode is Mode.WARN and not spent.fits else {}
        return {
            "Poly-RateLimit-Remaining": str(spent.remaining),
            "Poly-RateLimit-Reset": str(reset),
            "Poly-RateLimit-Tier": spent.tier,
            **warned,
        }


class Throttle:
    """Around the application: a request beyond a window of its address is answered late, and one far beyond it by 429."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            address = (scope.get("client") or ("",))[0]
            admission = self._limits.admit(address, scope["method"], scope["path"])
            if admission.retry_ms:
                await _refusal(scope["path"], admission.retry_ms)(scope, receive, send)
                return
            if admission.delay_ms:
                await asyncio.sleep(admission.delay_ms / SECOND_MS)  # clock: a client waits in the machine's time
        await self._app(scope, receive, send)


def _refusal(path: str, retry_ms: int) -> Response:
    """In the words of the surface that was asked."""
    if path.startswith("/data/v2/"):
        return rate_limited(int(_seconds(retry_ms)))
    return answer(TOO_MANY, 429, {"Retry-After": _seconds(retry_ms)})


def _seconds(milliseconds: int) -> str:
    return str(max(-(-milliseconds // SECOND_MS), 1))
