"""One of several engine processes that work on the same accounts: the production assembly and a real database, a venue in memory."""

import asyncio
import hashlib
import sys
from dataclasses import replace
from datetime import timedelta

from services.common.clock import SystemClock
from services.common.domain.market import Market, Token
from services.common.polymarket.environment import PRODUCTION
from services.common.signing.key_file import KeyFileSigner
from services.common.store.client import MongoStores
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from tests.builders import SEAL
from tests.scripted_chain import ScriptedChain
from tests.scripted_venue import Venue

CHAIN_ID = 137
TIMING = Timing(sweep=timedelta(seconds=0.05), lease=timedelta(seconds=30), renew_every=timedelta(seconds=5))


def signer(name: str) -> KeyFileSigner:
    """The key of the account that is called so."""
    return KeyFileSigner(hashlib.sha256(f"contended {name}".encode()).digest(), CHAIN_ID)


def condition(token_id: str) -> str:
    """The market of a token: each has its own."""
    return "0x" + hashlib.sha256(token_id.encode()).hexdigest()


class Markets(Venue):
    """A market for every token, all of one event, that end some day."""

    async def by_token(self, token_id: str) -> Market | None:
        market = await super().by_token(token_id)
        assert market is not None
        tokens = (Token(token_id, "Yes"), Token(f"{token_id}000", "No"))
        ends = self.clock.now() + timedelta(days=2)
        return replace(market, condition_id=condition(token_id), tokens=tokens, ends_at=ends)


async def main(uri: str, database: str, name: str, version: str, accounts: list[str]) -> None:
    """Work on these accounts until killed."""
    stores, clock = MongoStores(uri, database, name=name), SystemClock()
    workers = []
    for account in accounts:
        venue, chain, key = Markets(clock), ScriptedChain(clock), signer(account)  # type: ignore[arg-type]
        ports = Ports(stores, venue, venue, chain, key, clock, SEAL)
        worker = assemble(
            ports,
            key.address.lower(),
            PRODUCTION.contract,
            chain_id=CHAIN_ID,
            version=version,
            timing=TIMING,
            name=name,
        )
        await worker.warm()
        workers.append(worker)
    print("ready", flush=True)
    await asyncio.gather(*(worker.run() for worker in workers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5].split(",")))
