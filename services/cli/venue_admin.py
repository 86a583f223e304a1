"""The local venue's own controls: what a tester may do there that no trader can."""

from typing import Any, cast

import httpx


class VenueAdmin:
    """`/admin` of a local venue."""

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
        answer = await self._http.delete("faults")
        answer.raise_for_status()

    async def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """Every line of the venue's log behind `after`."""
        found = await self._get(f"journal?after={after}")
        return cast(list[dict[str, Any]], found["lines"])

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._http.get(path)
        answer.raise_for_status()
        return answer.json()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()
