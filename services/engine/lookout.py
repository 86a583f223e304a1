"""What an account works in: the clocks, the head of the chain, and the signer of its wallet."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from services.common.ports.chain import Chain, ChainUnavailable, Head, Witnesses
from services.common.ports.clock import Clock
from services.common.ports.signer import Signer, SignerAway, SignerStanding
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.ports.venue import Clob, VenueUnavailable
from services.engine.breaker import Breaker
from services.engine.warm import Warm

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE_S = 3.0
KEPT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around an account's work; None is not known. Skews: the local clock less the other. `endpoints_agree`: on the chain."""

    database_skew: timedelta | None = None
    venue_skew: timedelta | None = None
    head: Head | None = None
    endpoints_agree: bool | None = None
    signer: SignerStanding | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything was read."""
        return None not in (self.database_skew, self.venue_skew, self.head, self.endpoints_agree, self.signer)


class Lookout:
    """Reads the surroundings of one account."""

    def __init__(
        self,
        stores: Stores,
        clob: Clob,
        chain: Chain,
        witnesses: Witnesses | None,
        signer: Signer,
        breaker: Breaker,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._clob = clob
        self._chain = chain
        self._witnesses = witnesses
        self._signer = signer
        self._breaker = breaker
        self._clock = clock
        self.known = Warm(self._read, KEPT, clock, lambda around: around.is_whole)
        self._skew = timedelta(0)

    async def around(self) -> Surroundings:
        """What is known, a few seconds old at most; where something could not be read, half a second at first."""
        return await self.known.get()

    async def refresh(self) -> Surroundings:
        """Read everything now."""
        return await self.known.refresh()

    async def chain_answers(self) -> None:
        """Raises `ChainUnavailable` while the head of the chain is not known."""
        if (await self.around()).head is None:
            raise ChainUnavailable("the head of the chain is not known")

    async def endpoints_agree(self) -> None:
        """Raises `ChainUnavailable` while the chain has a head and no further endpoint, or not all that answer, say so too."""
        around = await self.around()
        if around.head is not None and not around.endpoints_agree:
            raise ChainUnavailable(
                "no further endpoint of the chain answers"
                if around.endpoints_agree is None
                else "a further endpoint of the chain knows other blocks"
            )

    async def venue_answers(self) -> None:
        """Raises `VenueUnavailable` while the venue's clock is not known."""
        if (await self.around()).venue_skew is None:
            raise VenueUnavailable("the venue does not tell the time")

    async def signer_answers(self) -> None:
        """Raises `SignerAway` while the signer does not answer; one that is halted does."""
        if self.signer(await self.around()) in {None, SignerStanding.AWAY}:
            raise SignerAway("the signer does not answer")

    def signer(self, around: Surroundings) -> SignerStanding | None:
        """What the signer said of itself last; that it is away is known without asking."""
        return around.signer if self._signer.at_hand else SignerStanding.AWAY

    def now(self) -> datetime:
        """The database's clock, as far as it is known."""
        return self._clock.now() - self._skew

    async def _read(self) -> Surroundings:
        database, venue, head, agree, signer = await asyncio.gather(
            _or_unknown(self._database_skew()),
            self._venue_skew(),
            _or_unknown(self._chain.head()),
            _or_unknown(self._agree()),
            _or_unknown(self._signer.standing()),
        )
        if database is not None:
            self._skew = database
        return Surroundings(database, venue, head, agree, signer)

    async def _database_skew(self) -> timedelta:
        before = self._clock.now()
        theirs = await self._stores.now()
        return before + (self._clock.now() - before) / 2 - theirs

    async def _agree(self) -> bool | None:
        # With one endpoint there is none to disagree.
        return True if self._witnesses is None else await self._witnesses.agree()

    async def _venue_skew(self) -> timedelta | None:
        # This read is also the breaker's probe.
        before = self._clock.now()
        theirs = await _or_unknown(self._clob.server_time())
        if theirs is None:
            self._breaker.fault()
            return None
        self._breaker.read()
        ours = before + (self._clock.now() - before) / 2
        return ours.replace(microsecond=0) - theirs.replace(microsecond=0)


async def _or_unknown(reading: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reading
    except (StoreUnavailable, VenueUnavailable, ChainUnavailable, TimeoutError) as error:
        log.warning("fact_unknown", error=type(error).__name__, text=str(error)[:200])
        return None
