"""Those who look after a simulated account: one stops it and starts it again, one looks at what wants a review."""

import asyncio
from random import Random

from services.common.domain.account import AccountState
from services.common.store.memory import MemoryStores
from tests.controlled import brought_to, halted
from tests.simulation.virtual_time import SimClock
from tests.simulation.weather import Weather


class People:
    """They die of nothing, and their writes arrive."""

    def __init__(self, stores: MemoryStores, account_id: str, weather: Weather, clock: SimClock) -> None:
        self._stores = stores
        self._account_id = account_id
        self._weather = weather
        self._clock = clock

    async def control(self) -> None:
        """Someone stops the account now and then, and always starts it again."""
        if self._weather.long_stop:
            # What waits meanwhile is copied afterwards, unless it was taken back.
            dice = self._weather.dice("long stop", "control")
            await self._stops(dice, dice.uniform(75, 100))
            return
        dice = self._weather.dice("control")
        for _ in range(dice.choice([0, 0, 1, 3])):
            await self._stops(dice, None)

    async def _stops(self, dice: Random, for_s: float | None) -> None:
        await asyncio.sleep(dice.uniform(0.5, 12))
        await self._stores.accounts.change(self._account_id, halted(self._clock.now()))
        await asyncio.sleep(for_s or dice.choice([0.01, 0.2, 3.0]))
        await self._stores.accounts.change(self._account_id, brought_to(AccountState.ACTIVE, self._clock.now()))

    async def review(self) -> None:
        """Someone looks at what wants a review: until then its market is left alone."""
        while True:
            await asyncio.sleep(20)
            for copy in await self._stores.copies.reviews([self._account_id], 50):
                await self._stores.copies.acknowledge(copy.copy_id, "ops", "", self._clock.now())
