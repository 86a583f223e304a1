"""Puts the parts of one account's work together, out of ports: the engine's process, replay and simulation all do it here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.domain.market import Market
from services.common.polymarket.order import Contract
from services.common.ports.chain import Chain, Witnesses
from services.common.ports.clock import Clock
from services.common.ports.custody import Seal
from services.common.ports.signer import Signer
from services.common.ports.stores import Stores
from services.common.ports.venue import Clob, Feed, Markets
from services.engine.breaker import Breaker
from services.engine.debts import Debts
from services.engine.decider import Decider
from services.engine.exchanges import Exchanges
from services.engine.executor import Executor
from services.engine.gatekeeper import Gatekeeper
from services.engine.journal import Journal
from services.engine.line import Line
from services.engine.lookout import Lookout
from services.engine.planner import Planner
from services.engine.process_facts import GateLimits
from services.engine.resolve import Resolver
from services.engine.snapshot import Snapshot
from services.engine.terms import Terms
from services.engine.timing import Timing
from services.engine.worker import Desk, Worker


@dataclass(frozen=True, slots=True)
class Ports:
    """What one account's work needs of the outside; `clob`, `signer` and `feed` are the account's own.

    Without a feed, orders are followed by their hash alone; without witnesses the chain is what one endpoint says it is.
    """

    stores: Stores
    clob: Clob
    markets: Markets
    chain: Chain
    signer: Signer
    clock: Clock
    seal: Seal
    feed: Feed | None = None
    witnesses: Witnesses | None = None


def assemble(
    ports: Ports,
    account_id: str,
    contract: Callable[[Market], Contract],
    *,
    exchanges: Sequence[Contract] = (),
    chain_id: int,
    version: str,
    timing: Timing,
    name: str,
    config_hash: str = "",
    gate_limits: GateLimits | None = None,
) -> Worker:
    """The worker of one account. `name` tells this process from others; `contract` names the exchange of a market."""
    stores, clock = ports.stores, ports.clock
    breaker = Breaker(clock)
    terms = Terms(ports.clob, clock)
    lookout = Lookout(stores, ports.clob, ports.chain, ports.witnesses, ports.signer, breaker, clock)
    limits = gate_limits or GateLimits()
    journal = Journal(account_id, stores, lookout, clock, reaches=limits.brake_window)
    gatekeeper = Gatekeeper(
        account_id,
        stores,
        lookout,
        journal,
        breaker,
        terms,
        Exchanges(ports.chain, exchanges, clock),
        ports.feed,
        clock,
        engine_version=version,
        chain_id=chain_id,
        limits=limits,
    )
    snapshot = Snapshot(account_id, stores, ports.clob, ports.markets, lookout, journal, clock, contract)
    debts = Debts(stores, ports.chain, ports.markets, lookout, timing)
    line = Line(clock)
    executor = Executor(
        stores,
        ports.clob,
        ports.markets,
        ports.signer,
        ports.seal,
        breaker,
        terms,
        lookout,
        clock,
        timing,
        line,
        ports.feed,
    )
    planner = Planner(contract, clock, engine_version=version, config_hash=config_hash)
    decider = Decider(stores, snapshot, gatekeeper, debts, planner, executor, lookout, timing, line)
    resolver = Resolver(stores, ports.clob, ports.chain, executor, lookout, timing, gatekeeper.may_resend, ports.feed)
    desk = Desk(account_id, line, gatekeeper, snapshot, decider, executor, resolver, debts)
    return Worker(desk, stores, lookout, clock, timing, name)
