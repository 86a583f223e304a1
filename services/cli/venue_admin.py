"""The local venue's own controls: what a tester may do there that no trader can."""

from typing import Any, cast

import httpx

from services.cli.failure import CannotRun


class VenueAdmin:
    """`/admin` of a local venue. Everything but `ready` raises `CannotRun` where it does not answer, or refuses."""

    def __init__(self, venue_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"{venue_url}/admin/", timeout=30)

    async def close(self) -> None:
        await self._http.aclose()

    async def ready(self) -> bool:
        """It answers, and its markets are made."""
        try:
            return (await self._http.get("health")).is_success
        except httpx.HTTPError:
            return False

    async def fund(self, address: str, usdc_micros: int) -> None:
        """Give a wallet pUSD and every approval that trading needs."""
        await self._post("fund", {"address": address, "usdc_micros": usdc_micros})

    async def leaders(self) -> list[str]:
        """The addresses of the scripted leaders."""
        traders = (await self._get("traders"))["traders"]
        return [str(trader["address"]) for trader in traders if str(trader["name"]).startswith("leader")]

    async def run_script(self, name: str) -> None:
        """Let the leaders trade."""
        await self._post("script", {"name": name})

    async def script(self) -> dict[str, Any]:
        """How far the script is."""
        return await self._get("script")

    async def trade(self, **order: Any) -> dict[str, Any]:
        """One trade of one trader, now."""
        return await self._post("trade", order)

    async def sweep(self, **order: Any) -> dict[str, Any]:
        """Several resting orders of one trader, filled by one transaction."""
        return await self._post("sweep", order)

    async def fault(self, **fault: Any) -> None:
        """Answer wrongly, late or not at all from now on."""
        await self._post("faults", fault)

    async def no_faults(self) -> None:
        await self._ask("DELETE", "faults")

    async def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """Every line of the venue's log behind `after`."""
        found = await self._get(f"journal?after={after}")
        return cast(list[dict[str, Any]], found["lines"])

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._ask("GET", path)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._ask("POST", path, json=body)

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise CannotRun(f"the local venue does not answer: {error!r}") from error
        if not answer.is_success:
            raise CannotRun(f"the local venue refuses {path}: {answer.text}")
        return answer.json()
