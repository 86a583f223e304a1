"""RTDS (venue.md 5.3): every fill of everyone, about two seconds after its match. Hints, never trades."""

import json
from collections.abc import AsyncIterator, Sequence

from services.common.polymarket.environment import Endpoints
from services.common.polymarket.letters import Letters
from services.common.polymarket.parse.payload import UnknownPayload
from services.common.polymarket.parse.streams import read_rtds_frames
from services.common.polymarket.socket import opened
from services.common.ports.clock import Clock
from services.common.ports.stores import DeadLetters
from services.common.ports.venue import Hint

PING_EVERY_S = 5.0
SILENCE_S = 20.0
SUBSCRIBE = json.dumps({"action": "subscribe", "subscriptions": [{"topic": "activity", "type": "trades"}]})


class RtdsFirehose:
    """`Firehose`. There is no filter by wallet at the venue, so it is here."""

    def __init__(self, endpoints: Endpoints, clock: Clock, dead_letters: DeadLetters) -> None:
        self._url = endpoints.rtds_url
        self._letters = Letters(dead_letters, clock)
        self._clock = clock

    async def hints(self, wallets: Sequence[str]) -> AsyncIterator[Hint]:
        """Until the stream fails: raises `VenueUnavailable`. A frame that is not known is kept as a dead letter."""
        wanted = {wallet.lower() for wallet in wallets}
        async with opened(self._url, ping_every_s=PING_EVERY_S, silence_s=SILENCE_S) as socket:
            await socket.send(SUBSCRIBE)
            while True:
                try:
                    trades = read_rtds_frames(await socket.receive())
                except UnknownPayload as error:
                    await self._letters.keep(error)
                    continue
                for trade in trades:
                    if trade.wallet in wanted:
                        yield Hint(trade.tx_hash, trade.wallet, "rtds", self._clock.now(), trade.traded_at)
