"""How a process comes by each crash point, and what may come of the trade that it was about."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from polycopy.engine.v1 import engine_pb2 as pb

from services.common.domain.account import AccountState
from services.common.domain.amounts import LOT_MICROS
from services.common.domain.follow import Grouping, Policy
from services.common.domain.lifecycle import CopyState
from tests.kill_scene import GIVE_UP, LEASE, LIFETIME, LOOK_AGAIN, Scene
from tests.mesh import eventually

TWICE = 2 * LEASE
TRANSACTION = timedelta(seconds=4)
"""A process that dies inside a transaction holds its account until the server ends that: after 3 s, looked for once a second."""

MATCHED = frozenset({CopyState.EXECUTED, CopyState.RECONCILED})
BOOKED = frozenset({CopyState.RECONCILED})
GIVEN_UP = frozenset({CopyState.FAILED})
DEAD_WITHIN = GIVE_UP + 2 * LOOK_AGAIN + TWICE

Arm = Callable[[], None]
Act = Callable[[Scene, Arm], Awaitable[str]]
Then = Callable[[Scene, str], Awaitable[None]]


async def _nothing(_: Scene, __: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a process comes by a crash point: `act` has it armed and gives the leader's order that it is about.

    - `then`: what else has to come about, or be done, for that order. `ends`: what the copy may come to.
    - `within`: how long after its process is well, or another has the word, a copy has moved on.
    - `leaves`: whether there is surely something left to do for it then. `held`: nobody may do it before `then`.
    - `ending`: whether the process was about to end besides.
    """

    service: str
    act: Act
    then: Then = _nothing
    ends: frozenset[CopyState] = MATCHED
    within: timedelta = TWICE
    leaves: bool = True
    held: bool = False
    ending: bool = False


async def _buys(at: Scene, arm: Arm) -> str:
    arm()
    return await at.buys()


async def _sells(at: Scene, arm: Arm) -> str:
    return await at.sells(arm)


async def _slowly(at: Scene, arm: Arm) -> str:
    await at.fault("delay", ms=500)
    return await _buys(at, arm)


async def _unanswered(at: Scene, arm: Arm) -> str:
    await at.fault("drop_before")
    return await _buys(at, arm)


async def _never_arrives(at: Scene, arm: Arm) -> str:
    await at.lifetime(LIFETIME)
    await at.fault("drop_before", times=0)
    return await _buys(at, arm)


async def _in_a_group(at: Scene, arm: Arm) -> str:
    """Two orders of a leader that one of ours copies; the eldest of them."""
    await at.policy(lambda policy: replace(policy, grouping=Grouping.TOKEN, group_window_ms=1_000))
    arm()
    try:
        return await at.buys_twice()
    finally:
        await at.policy(_alone)


def _alone(policy: Policy) -> Policy:
    return replace(policy, grouping=Grouping.NONE)


async def _stopped(at: Scene, arm: Arm) -> str:
    arm()
    at.call(lambda stub, timeout: stub.StopTrading(pb.StopTradingRequest(), timeout=timeout))

    async def halted() -> bool:
        return (await at.account()).state is AccountState.HALTED

    await eventually(halted)
    return await at.buys()


async def _started(at: Scene, order: str) -> None:
    assert [copy for copy in await at.running.copies(order) if copy.intents] == []
    await at.call(lambda stub, timeout: stub.StartTrading(pb.StartTradingRequest(), timeout=timeout))


async def _put_back(at: Scene, arm: Arm) -> str:
    # Balances are kept for a few seconds; then they are read, and cannot be.
    await at.running.stack.admin.fault(endpoint="clob.balance", kind="error_before", status=500, times=0)
    await asyncio.sleep(4.5)
    return await _buys(at, arm)


async def _told_to_end(at: Scene, arm: Arm) -> str:
    await at.fault("delay", ms=1_500)
    order = await _buys(at, arm)

    async def sent() -> bool:
        return any(copy.state is CopyState.EXECUTING for copy in await at.running.copies(order))

    await eventually(sent)
    at.child("engine").send(signal.SIGTERM)
    return order


async def _closes(at: Scene, arm: Arm) -> str:
    order = await at.buys()
    copy = await at.running.copied(order)
    arm()
    request = pb.ClosePositionsRequest(asset_ids=[copy.trade.token_id], request_id=f"close-{order}")
    at.call(lambda stub, timeout: stub.ClosePositions(request, timeout=timeout))
    return order


async def _closed(at: Scene, order: str) -> None:
    (copy,) = await at.running.copies(order)

    async def sold() -> bool:
        # Each follow keeps less than can be sold.
        return await at.running.position_micros(copy.trade.token_id) < 3 * LOT_MICROS

    await eventually(sold)


SCENARIOS = {
    "before_insert": Scenario("monitor", _buys),
    "after_insert_before_cursor": Scenario("monitor", _buys, leaves=False),
    "after_cursor": Scenario("monitor", _buys, leaves=False),
    "before_claim": Scenario("engine", _buys),
    "after_claim": Scenario("engine", _buys),
    "mid_decide": Scenario("engine", _buys),
    "after_decide": Scenario("engine", _buys),
    # While the commit is on its way: it stands as a rule, and where it never left the server ends the transaction.
    "mid_intent": Scenario("engine", _buys, within=TWICE + TRANSACTION),
    "after_intent_before_sign": Scenario("engine", _buys),
    "after_sign_before_send": Scenario("engine", _buys),
    "mid_send": Scenario("engine", _slowly),
    "after_answer_before_record": Scenario("engine", _buys),
    "after_record": Scenario("engine", _buys, leaves=False),
    "mid_resolve": Scenario("engine", _unanswered),
    "before_resend": Scenario("engine", _unanswered),
    "after_resend_journaled": Scenario("engine", _unanswered),
    "before_presumed_dead": Scenario("engine", _never_arrives, ends=GIVEN_UP, within=DEAD_WITHIN),
    "after_presumed_dead": Scenario("engine", _never_arrives, ends=GIVEN_UP, leaves=False),
    # In a transaction, which the server ends: only then can the copy be claimed.
    "mid_group": Scenario("engine", _in_a_group, within=TWICE + TRANSACTION),
    "mid_exit_owed": Scenario("engine", _sells),
    "after_exit_owed": Scenario("engine", _sells),
    "mid_close_positions": Scenario("engine", _closes, _closed, leaves=False),
    "mid_stop": Scenario("engine", _stopped, _started, held=True),
    "mid_release": Scenario("engine", _put_back),
    "mid_shutdown": Scenario("engine", _told_to_end, ending=True),
    "mid_settle": Scenario("reconciler", _buys, ends=BOOKED),
    "after_settle": Scenario("reconciler", _buys, ends=BOOKED, leaves=False),
    "mid_reconcile": Scenario("reconciler", _buys, leaves=False),
}
"""Every crash point, in the order in which they are tried."""
