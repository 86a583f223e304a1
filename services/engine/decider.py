"""Decides on one copy after the other: look, judge, keep. Decisions of an account are serial, whatever comes after is not."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain import control
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.lifecycle import Actor
from services.common.domain.verdict import Decision
from services.common.ports.stores import Begun, Stores
from services.engine import metrics
from services.engine.case import Case
from services.engine.claims import Claim
from services.engine.debt_ends import REFUSED_BY
from services.engine.debts import Debts, Sale
from services.engine.executor import Executor
from services.engine.gatekeeper import Gatekeeper
from services.engine.line import Line
from services.engine.lookout import Lookout
from services.engine.pipeline import Approved, Refused, decide
from services.engine.planner import Planner, Unbuildable
from services.engine.pricing import drafted
from services.engine.snapshot import Around, Snapshot
from services.engine.timing import Timing

log = structlog.get_logger()

TRIES = 50
DAILY_LOSS, LOSS_CAP = "daily_loss", "loss_cap"
CREDIT, TOO_OLD = "credit", "balance_too_old"


class Decider:
    """The decisions of one account."""

    def __init__(
        self,
        stores: Stores,
        snapshot: Snapshot,
        gatekeeper: Gatekeeper,
        debts: Debts,
        planner: Planner,
        executor: Executor,
        lookout: Lookout,
        timing: Timing,
        line: Line,
    ) -> None:
        self._stores = stores
        self._snapshot = snapshot
        self._gatekeeper = gatekeeper
        self._debts = debts
        self._planner = planner
        self._executor = executor
        self._lookout = lookout
        self._timing = timing
        self._line = line

    async def decide(self, claim: Claim, copy: Copy, looking: Awaitable[Around]) -> Copy | None:
        """The copy with its stored intent, ready to be sent; None where there is nothing to send, and that is written. `looking` gives what
        lies around the copy.

        Raises `VenueUnavailable` and `ChainUnavailable` before anything is written: then the claim is to be given back.
        """
        # What is slow to come must not be waited for in the line, which is everybody's.
        around = await looking
        async with self._line.decision():
            for _ in range(TRIES):
                begun = await self._once(claim, copy, around)
                if begun is not Begun.ACCOUNT_MOVED:
                    return begun if isinstance(begun, Copy) else None
                self._line.forget()
                around = await self._snapshot.around(copy)
        await self._put_back(claim, "account_moved", self._timing.sweep)
        return None

    async def _once(self, claim: Claim, copy: Copy, around: Around) -> Copy | Begun | None:
        case = await self._snapshot.case(copy, around, self._line.account)
        members = tuple(member.copy_id for member in around.members)
        if copy.kind is CopyKind.EXIT:
            sale = await self._debts.sale(case.account, copy)
            if isinstance(sale, str):
                await self._without_sale(claim, sale)
                return None
            case, members = _selling(case, sale), sale.members
        crashpoint("mid_decide")
        held_up = await self._held_up(case)
        if held_up:
            await self._put_back(claim, held_up, self._timing.put_back)
            return None
        outcome = decide(drafted(case))
        crashpoint("after_decide")
        if isinstance(outcome, Refused) and case.funds is not None and case.funds.at_least:
            # There may be more than that: nobody is refused on an estimate.
            await self._snapshot.count_again()
            return Begun.ACCOUNT_MOVED
        self._count(outcome)
        if isinstance(outcome, Refused):
            await self._refused(claim, outcome)
            return None
        return await self._begin(claim, copy, outcome, members)

    async def _without_sale(self, claim: Claim, reason: str) -> None:
        if reason == "wait":
            await self._put_back(claim, "exit_waits", self._timing.put_back)
        else:
            await self._stores.copies.skip(claim.ref, REFUSED_BY.get(reason, reason), None, self._lookout.now())

    async def _held_up(self, case: Case) -> str:
        """The process condition that holds this copy back on the decision's own snapshot; empty where none does."""
        market = case.market.condition_id if case.market else case.trade.condition_id
        failing = self._gatekeeper.standing(case.account, case.trade, market, entry=case.is_entry)
        if failing:
            return failing[0].reason
        # The gate was open when the copy was claimed; it may have waited for its turn since.
        admission = await self._gatekeeper.admission()
        if not admission.fresh:
            return admission.closed[0].guard
        barred = market in admission.barred_markets or case.trade.leader in admission.barred_leaders
        return "brakes" if case.is_entry and (barred or admission.only_exits) else ""

    async def _begin(
        self, claim: Claim, copy: Copy, approved: Approved, members: tuple[str, ...]
    ) -> Copy | Begun | None:
        try:
            plan = self._planner.plan(approved)
        except Unbuildable as error:
            await self._stores.copies.refuse(claim.ref, error.reason, self._lookout.now())
            return None
        begun = await self._executor.begin(claim, copy, approved, plan, members)
        if isinstance(begun, Copy):
            self._line.moved(approved.case.account, plan.change)
            self._snapshot.sent(begun, approved.case.account.attempts, plan.change.put)
        claim.lost = claim.lost or begun is Begun.CLAIM_LOST
        return begun

    async def _refused(self, claim: Claim, refused: Refused) -> None:
        if _is_late(refused):
            # This process came late to it: that says nothing of the trade.
            self._snapshot.forget_funds()
            await self._put_back(claim, TOO_OLD, self._timing.put_back)
            return
        if not refused.case.is_entry:
            log.info("exit_held_back", copy=claim.ref.copy_id, guard=refused.skip_reason)
            await self._put_back(claim, refused.skip_reason, self._timing.put_back, refused.decision)
            return
        if await self._stores.copies.skip(claim.ref, refused.skip_reason, refused.decision, self._lookout.now()):
            metrics.ENDS.labels(refused.skip_reason).inc()
        await self._reduced(refused)

    async def _reduced(self, refused: Refused) -> None:
        """A day's loss at its cap is no matter of one copy: from now on only exits pass, until somebody starts trading again."""
        if not any((one.guard, one.reason) == (DAILY_LOSS, LOSS_CAP) for one in refused.decision.refusals):
            return
        account_id, now = refused.case.account.account_id, self._lookout.now()
        after = await self._stores.accounts.change(
            account_id, lambda account: control.reduced(account, Actor.ENGINE, DAILY_LOSS, now)
        )
        if after is not None:
            log.error("account_reducing", account=account_id, why=DAILY_LOSS)
            self._line.forget()
            self._gatekeeper.forget()

    async def _put_back(self, claim: Claim, reason: str, after: timedelta, decision: Decision | None = None) -> None:
        metrics.PUT_BACK.labels(reason).inc()
        claim.given_back = True
        await self._stores.copies.release(claim.ref, after, self._lookout.now(), decision)

    def _count(self, outcome: Approved | Refused) -> None:
        copy, verdict = outcome.case.copy, "approved" if isinstance(outcome, Approved) else outcome.skip_reason
        metrics.DECISIONS.labels(copy.kind, verdict).inc()
        metrics.DETECT_TO_DECIDE.observe(max((outcome.case.now - copy.detected_at).total_seconds(), 0.0))


def _is_late(refused: Refused) -> bool:
    first = next(iter(refused.decision.refusals), None)
    return first is not None and (first.guard, first.reason) == (CREDIT, TOO_OLD)


def _selling(case: Case, sale: Sale) -> Case:
    copy = replace(case.copy, owed_micros=sale.shares_micros, trade=sale.trade)
    return replace(case, copy=copy, settled_micros=sale.settled_micros, others_micros=sale.others_micros)
