"""The production parts on memory ports: one account that follows every leader of a tape."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from services.cli.replay.clock import VirtualClock
from services.cli.replay.journal import LoggedClob
from services.cli.replay.model import Model
from services.cli.replay.tape import Tape, receipts
from services.common.chain.memory import MemoryChain
from services.common.config_file import PolicyFile, limits
from services.common.domain.account import Account
from services.common.domain.follow import Follow, FollowState, Policy, follow_id
from services.common.domain.money import micros
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.memory import MemoryActivity, MemoryMarkets
from services.common.ports.chain import Receipt
from services.common.sealing import KeyRing
from services.common.signing.key_file import KeyFileSigner
from services.common.store.memory import MemoryStores
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from services.engine.worker import Worker
from services.reconciler.compare import Comparison
from services.reconciler.loop import Reconciliation
from services.reconciler.resolutions import Resolutions
from services.reconciler.settle import Settler

ENDPOINTS = PRODUCTION
NAME = "replay"
COMPARE_EVERY = timedelta(seconds=30)
BEFORE = timedelta(seconds=2)
"""How long before the first fill the replay begins: the follow is made then."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that plays a tape."""

    clock: VirtualClock
    stores: MemoryStores
    markets: MemoryMarkets
    chain: MemoryChain
    clob: LoggedClob
    seal: KeyRing
    worker: Worker
    reconciliation: Reconciliation
    account: Account
    follows: tuple[Follow, ...]
    timing: Timing
    config_hash: str


async def build(tape: Tape, file: PolicyFile, model: Model) -> World:
    """The world just before the tape begins; to be called inside a virtual loop."""
    clock = VirtualClock(tape.played[0].at - BEFORE)
    stores, markets, chain = (
        MemoryStores(clock.now, interleaved=False),
        MemoryMarkets(clock),
        MemoryChain(clock, ENDPOINTS.chain_id),
    )
    # The key signs orders that no venue will ever see; anyone may know it.
    signer = KeyFileSigner(hashlib.sha256(b"polycopy replay").digest(), ENDPOINTS.chain_id)
    wallet, policy = signer.address, file.policy.policy()
    account = Account(
        wallet.lower(), wallet, wallet, 0, wallet.lower(), active_version=NAME, limits=limits(file.limits)
    )
    follows = tuple(_follow(account, leader, policy, clock) for leader in tape.leaders)
    clob = LoggedClob(wallet, chain, markets, clock, model.settles_after)
    timing, seal = Timing(), KeyRing.passing()
    config_hash = hashlib.sha256(file.model_dump_json().encode()).hexdigest()
    worker = assemble(
        Ports(stores, clob, markets, chain, signer, clock, seal),
        account.account_id,
        ENDPOINTS.contract,
        chain_id=ENDPOINTS.chain_id,
        version=NAME,
        timing=timing,
        name=NAME,
        config_hash=config_hash,
    )
    comparison = Comparison(account, stores, chain, MemoryActivity(chain, clock), markets, clock, api_lag=timedelta(0))
    settler = Settler(account, stores, clob, chain, markets, clock)
    resolutions = Resolutions(account, stores, chain, markets, clock)
    reconciliation = Reconciliation(
        account, settler, resolutions, comparison, stores, clock, holder=NAME, every=COMPARE_EVERY
    )
    _fund(chain, clock, wallet, micros(file.cash_usdc))
    for receipt in receipts(tape, ENDPOINTS.exchange_address):
        chain.mine(receipt)
    for market in tape.markets.values():
        markets.list(market)
    await stores.accounts.create(account)
    for follow in follows:
        await stores.follows.create(follow)
    return World(
        clock, stores, markets, chain, clob, seal, worker, reconciliation, account, follows, timing, config_hash
    )


def _follow(account: Account, leader: str, policy: Policy, clock: VirtualClock) -> Follow:
    name = follow_id(account.account_id, leader)
    return Follow(name, account.account_id, leader, policy, 1, FollowState.ACTIVE, clock.now())


def _fund(chain: MemoryChain, clock: VirtualClock, wallet: str, cash_micros: int) -> None:
    deposit = Receipt("0x" + "00" * 32, chain.head_number, "", clock.now(), True, (), ())
    chain.mine(deposit, {wallet: cash_micros})
