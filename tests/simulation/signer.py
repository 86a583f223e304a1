"""The signer's process in a simulated world: away for a while, halting nobody, and refusing now and then."""

import asyncio

from services.common.domain.intent import Intent
from services.common.ports.signer import Signer, SignerAway, SignerRefused, SignerStanding
from tests.simulation.process import Process
from tests.simulation.weather import Weather

LONGEST_S = 20.0


class Outage:
    """When the signer is away, and since when."""

    def __init__(self, weather: Weather) -> None:
        self._dice = weather.dice("signer")
        often = self._dice.choice([1, 2]) if weather.signer else 0
        starts = sorted(self._dice.uniform(0, 30) for _ in range(often))
        self._spans = [(start, start + self._dice.uniform(2, LONGEST_S)) for start in starts]

    @property
    def lasts_s(self) -> float:
        """For how long it has been away; 0 while it is there."""
        now = asyncio.get_running_loop().time()
        return max((now - first for first, last in self._spans if first <= now < last), default=0.0)


class SimSigner:
    """`Signer` as one process reaches it. An answer that is lost leaves nothing behind: the same order is signed again."""

    def __init__(self, process: Process, signer: Signer, outage: Outage) -> None:
        self._process = process
        self._signer = signer
        self._outage = outage
        self._dice = process.dice("sign")

    @property
    def address(self) -> str:
        return self._signer.address

    @property
    def at_hand(self) -> bool:
        return not self._outage.lasts_s

    async def standing(self) -> SignerStanding:
        return SignerStanding.READY if self.at_hand else SignerStanding.AWAY

    async def sign_intent(self, copy_id: str, intent: Intent) -> str:
        process, weather = self._process, self._process.weather
        await process.risk(self._dice)
        await asyncio.sleep(self._dice.uniform(0.001, 0.01))
        if self._outage.lasts_s:
            raise SignerAway("simulated")
        if weather.strikes(weather.signer, self._dice):
            raise SignerRefused("simulated")
        signature = await self._signer.sign_intent(copy_id, intent)
        await process.risk(self._dice)
        if self._outage.lasts_s:
            raise SignerAway("simulated")
        return signature

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        return await self._signer.sign_auth(timestamp, nonce)
