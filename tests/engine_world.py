"""A world for the engine in memory: a scripted venue and chain, a clock that only tests move, and the engine's real parts between."""

import asyncio
from itertools import count

from services.common.domain.account import Account, ExposureChange, Holding, Limits
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import ReconciliationResult
from services.common.domain.follow import Policy
from services.common.domain.intent import Intent
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.polymarket.environment import PRODUCTION
from services.common.ports.chain import Witnesses
from services.common.ports.signer import SignerRefused, SignerStanding
from services.common.ports.venue import Feed
from services.common.signing.key_file import KeyFileSigner
from services.common.store.memory import MemoryStores
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from services.engine.worker import Worker
from tests.builders import CONDITION, SEAL, a_copy, a_follow, a_trade, an_account
from tests.scripted_chain import ScriptedChain
from tests.scripted_venue import SHARE, Venue
from tests.still_clock import TestClock

KEY = bytes.fromhex("11" * 32)
SIGNER = KeyFileSigner(KEY, 137)
WALLET = SIGNER.address
ACCOUNT = WALLET.lower()


class Pen:
    """A signer that can be told to refuse."""

    def __init__(self) -> None:
        self.refusing = False
        self.stands = SignerStanding.READY

    @property
    def address(self) -> str:
        return WALLET

    @property
    def at_hand(self) -> bool:
        return True

    async def standing(self) -> SignerStanding:
        return self.stands

    async def sign_intent(self, copy_id: str, intent: Intent) -> str:
        if self.refusing:
            raise SignerRefused("away")
        return await SIGNER.sign_intent(copy_id, intent)

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        return await SIGNER.sign_auth(timestamp, nonce)


POLICY = Policy(ratio_bps=10_000)


class World:
    """One account that follows one leader share for share, and as many engine processes as a test starts."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock = TestClock()
        self.stores = MemoryStores(self.clock.now)
        self.venue = Venue(self.clock)
        self.chain = ScriptedChain(self.clock)
        self.witnesses: Witnesses | None = None
        self.pen = Pen()
        self.seal = SEAL
        self.workers: list[tuple[Worker, asyncio.Task[None]]] = []
        self._account = an_account(
            ACCOUNT, wallet=WALLET, signer=WALLET, owner=ACCOUNT, limits=limits or Limits(max_order_micros=10**12)
        )
        self._results = count()

    async def open(self) -> "World":
        """Store the account and its follow, and let the reconciler have looked."""
        await self.stores.accounts.create(self._account)
        await self.stores.follows.create(a_follow(ACCOUNT, policy=POLICY))
        await self.reconciled()
        return self

    async def reconciled(self) -> None:
        """The reconciler has compared the account just now."""
        now, number = self.clock.now(), next(self._results)
        await self.stores.results.add(ReconciliationResult(f"r{number}", ACCOUNT, now, now, 0, (), 0, True))

    def start(self, name: str = "engine", feed: Feed | None = None, *, compared: bool = True) -> Worker:
        """Start an engine process. It asks for a comparison, and unless nobody does the reconciler makes it."""
        own = (self.pen, self.clock, self.seal, feed, self.witnesses)
        ports = Ports(self.stores, self.venue, self.venue, self.chain, *own)
        engine = assemble(
            ports,
            ACCOUNT,
            PRODUCTION.contract,
            exchanges=PRODUCTION.contracts,
            chain_id=137,
            version="test",
            timing=Timing(),
            name=name,
        )
        self.workers.append((engine, asyncio.create_task(engine.run())))
        if compared:
            self._comparing = asyncio.create_task(self.reconciled())
        return engine

    def kill(self) -> None:
        """Every engine process dies where it stands."""
        for worker, task in self.workers:
            task.cancel()
            for one in worker.tasks:
                one.cancel()
        self.workers.clear()

    async def run(self, seconds: float) -> None:
        """Let time pass; the reconciler looks every so often."""
        left = seconds
        while left > 0:
            await self.clock.run(min(left, 20.0))
            await self.reconciled()
            left -= 20.0

    async def account(self) -> Account:
        account = await self.stores.accounts.get(ACCOUNT)
        assert account is not None
        return account

    async def buys(self, number: int = 1, shares: int = 10, **changes: object) -> Copy:
        """The leader buys: the monitor stores a copy."""
        traded = changes.pop("traded_at", self.clock.now())
        trade = a_trade(number, shares_micros=shares * SHARE, usdc_micros=shares * 500_000, traded_at=traded, **changes)
        copy = a_copy(number, account=ACCOUNT, trade=trade, policy=POLICY, now=self.clock.now())
        await self.stores.copies.insert([copy])
        return copy

    async def sells(self, number: int, shares: int, of: int, **changes: object) -> Copy:
        """The leader sells `shares` of the `of` that he has: the monitor stores a debt."""
        sale = {"shares_micros": shares * SHARE, "usdc_micros": shares * 490_000, "traded_at": self.clock.now()}
        trade = a_trade(number, side=Side.SELL, **{**sale, **changes})
        copy = a_copy(number, account=ACCOUNT, kind=CopyKind.DEBT, trade=trade, policy=POLICY, now=self.clock.now())
        self.chain.sells(copy, of * SHARE)
        await self.stores.copies.insert([copy])
        return copy

    async def gives_away(self, number: int, shares: int, of: int, **changes: object) -> Copy:
        """The leader merges or transfers away `shares` of the `of` that he has: no sale, and no price."""
        return await self.sells(number, shares, of, order_hash="", usdc_micros=0, **changes)

    async def settles(self) -> None:
        """The reconciler books everything that is executed."""
        for copy in await self.stores.copies.unsettled(ACCOUNT, 1_000):
            if copy.state is not CopyState.EXECUTED:
                continue
            sign = 1 if copy.side is Side.BUY else -1
            held = Holding(
                copy.trade.token_id, CONDITION, "7", sign * copy.filled_micros, sign * copy.filled_micros // 2
            )
            change = ExposureChange(self.clock.now(), drop=copy.copy_id, held=held)
            await self.stores.copies.settle(
                copy.copy_id,
                copy.fence,
                CopyState.RECONCILED,
                (),
                (),
                (),
                copy.filled_micros,
                copy.paid_micros,
                copy.fee_micros,
                change,
                False,
                self.clock.now(),
            )
            key = (ACCOUNT, copy.trade.token_id, None)
            self.chain.balances[key] = self.chain.balances.get(key, 0) + sign * copy.filled_micros

    async def copy(self, copy: Copy | str) -> Copy:
        found = await self.stores.copies.get(copy if isinstance(copy, str) else copy.copy_id)
        assert found is not None
        return found

    async def attempts(self) -> list[Copy]:
        """Exit attempts, eldest first."""
        page = await self.stores.copies.page([ACCOUNT], 1_000, 0)
        return sorted((c for c in page.items if c.kind is CopyKind.EXIT), key=lambda copy: copy.attempt_number)
