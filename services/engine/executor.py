"""The only way to the venue: an approved order becomes a stored intent, its signature is stored, then its bytes leave."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import DEFINITIVE, Attempt, Intent, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.clock import Clock
from services.common.ports.custody import Seal
from services.common.ports.signer import Signer, SignerRefused
from services.common.ports.stores import Begun, Stores, StoreUnavailable
from services.common.ports.venue import Answer, Clob, Feed, Markets, VenueUnavailable
from services.engine import evidence, metrics
from services.engine.breaker import Breaker
from services.engine.claims import Claim
from services.engine.evidence import Match
from services.engine.generation import wait_after
from services.engine.line import Line
from services.engine.lookout import Lookout
from services.engine.pipeline import Approved
from services.engine.planner import Plan, unspent
from services.engine.retries import retry_after
from services.engine.terms import Terms
from services.engine.timing import Timing

log = structlog.get_logger()

MID_SEND_S = 0.02
SOON = timedelta(milliseconds=200)
HEARD = timedelta(seconds=1)
READ_BACK = 3


class Executor:
    """Orders of one account. Everything here runs under a claim; a write that its fence refuses ends the work quietly."""

    def __init__(
        self,
        stores: Stores,
        clob: Clob,
        markets: Markets,
        signer: Signer,
        seal: Seal,
        breaker: Breaker,
        terms: Terms,
        lookout: Lookout,
        clock: Clock,
        timing: Timing,
        line: Line,
        feed: Feed | None = None,
    ) -> None:
        self._feed = feed
        self._stores = stores
        self._clob = clob
        self._markets = markets
        self._signer = signer
        self._seal = seal
        self._breaker = breaker
        self._terms = terms
        self._lookout = lookout
        self._clock = clock
        self._timing = timing
        self._line = line

    async def begin(
        self, claim: Claim, copy: Copy, approved: Approved, plan: Plan, members: Sequence[str]
    ) -> Copy | Begun:
        """Store the intent of an approved order with its first attempt; the copy that may be sent, or why not.

        `copy` is as it was claimed. The case was decided on what it stands for: a sale at today's price, a group as one trade.
        """
        asked = claim.now()
        begun = await self._commit(claim, copy, approved, plan, members)
        if begun is not Begun.DONE:
            return begun
        claim.journaled(asked)
        crashpoint("after_intent_before_sign")
        return replace(
            copy,
            state=CopyState.EXECUTING,
            intent=plan.intent,
            past_intents=copy.intents,
            decision=approved.decision,
        )

    async def _commit(self, claim: Claim, copy: Copy, approved: Approved, plan: Plan, members: Sequence[str]) -> Begun:
        # A commit whose answer was lost may stand: what is stored is adopted.
        for tried in range(READ_BACK):
            try:
                return await self._stores.copies.begin(
                    copy,
                    approved.decision.account_seq,
                    plan.intent,
                    approved.decision,
                    plan.change,
                    members,
                    self._lookout.now(),
                )
            except StoreUnavailable:
                stored = await self._stores.copies.get(claim.ref.copy_id)
                if stored is None or stored.fence != claim.ref.fence:
                    return Begun.CLAIM_LOST
                if stored.intent is not None and stored.intent.order_hash == plan.intent.order_hash:
                    return Begun.DONE
                log.warning("intent_unanswered", copy=claim.ref.copy_id, tried=tried + 1)
        return Begun.CLAIM_LOST

    async def send(self, claim: Claim, copy: Copy, intent: Intent) -> None:
        """Sign the stored intent where it is not, send its bytes once, and record what came of the attempt that is journaled."""
        attempt = intent.attempts[-1]
        signature = stored = self._seal.opened(copy.copy_id, intent.order_hash, intent.signature)
        if not signature:
            try:
                signature = await self._signer.sign_intent(copy.copy_id, intent)
            except SignerRefused as error:
                log.warning("signer_refused", copy=copy.copy_id, code=error.code, text=str(error)[:200])
                # It may be away or halted: the gate is not to go by what it said before.
                self._lookout.known.forget()
                return await self.not_sent(claim, copy, intent, replace(attempt, code=error.code))
        crashpoint("after_sign_before_send")
        leave_by = claim.leave_by
        if leave_by is None:
            return await self.not_sent(claim, copy, intent, replace(attempt, code="too_late_to_send"))
        signed = replace(intent, signature=signature)
        answer, _ = await asyncio.gather(self._post(copy, signed, leave_by), self._keep(claim, signed, stored))
        crashpoint("after_answer_before_record")
        await self._answered(claim, copy, signed, answer)
        crashpoint("after_record")
        return None

    async def _keep(self, claim: Claim, signed: Intent, stored: str) -> None:
        """Store a signature while its bytes leave: nothing is told by whether it is there, it only need not be made again."""
        if signed.signature == stored:
            return
        sealed = self._seal.sealed(claim.ref.copy_id, signed.order_hash, signed.signature)
        try:
            await self._stores.copies.sign(claim.ref, signed.order_hash, sealed)
        except StoreUnavailable as error:
            log.warning("signature_not_stored", copy=claim.ref.copy_id, text=str(error)[:200])

    async def _post(self, copy: Copy, intent: Intent, leave_by: float) -> Answer:
        if len(intent.attempts) == 1:
            late = self._lookout.now() - copy.trade.traded_at
            metrics.FILL_TO_ORDER.observe(max(late.total_seconds(), 0.0))
        posting = asyncio.create_task(self._clob.post(intent, leave_by))
        if not (await asyncio.wait({posting}, timeout=MID_SEND_S))[0]:
            crashpoint("mid_send")
        answer = await posting
        self._breaker.sent(answer.outcome)
        self._terms.answered(answer)
        metrics.ATTEMPTS.labels(answer.outcome).inc()
        if copy.decision is not None:
            metrics.DECIDE_TO_SEND.observe(max((self._lookout.now() - copy.decision.at).total_seconds(), 0.0))
        log.info(
            "order_sent",
            copy=copy.copy_id,
            order=intent.order_hash,
            attempt=len(intent.attempts),
            outcome=str(answer.outcome),
            status=answer.status,
            code=answer.code,
        )
        return answer

    async def _answered(self, claim: Claim, copy: Copy, intent: Intent, answer: Answer) -> None:
        attempt = answer.attempt(intent.attempts[-1].number, intent.attempts[-1].at)
        match answer.outcome:
            case Outcome.NOT_SENT:
                await self.not_sent(claim, copy, intent, attempt)
            case Outcome.REJECTED:
                await self._came_to_nothing(claim, copy, intent, attempt, "rejected")
            case Outcome.ACKED if evidence.is_zero(answer):
                await self._came_to_nothing(claim, copy, intent, attempt, "unmatched")
            case Outcome.ACKED if answer.status == "matched":
                await self._matched(claim, copy, intent, attempt, answer)
            case Outcome.ACKED:
                waiting = replace(attempt, outcome=Outcome.UNKNOWN, code=answer.status)
                await self._record(claim, waiting, SOON)
                await self._heard(claim, copy, intent, waiting)
            case Outcome.DUPLICATED:
                await self._record(claim, attempt, SOON)
            case _:
                unknown = replace(attempt, outcome=Outcome.UNKNOWN)
                await self._record(claim, unknown, wait_after(attempt.number, self._timing.resend_after))
                await self._heard(claim, copy, intent, unknown)

    async def _heard(self, claim: Claim, copy: Copy, intent: Intent, attempt: Attempt) -> None:
        """The venue's own channel is often faster than the next look-up; whoever has claimed the copy meanwhile goes before."""
        if self._feed is None:
            return
        match = evidence.of_trades(await self._feed.told(intent.order_hash, HEARD))
        if match is not None:
            await self.execute(claim, copy, attempt, match)

    async def _matched(self, claim: Claim, copy: Copy, intent: Intent, attempt: Attempt, answer: Answer) -> None:
        attempt = replace(attempt, code="matched")
        match = evidence.of_answer(answer, intent) or await self._traded(copy, intent)
        if match is None:
            await self._record(claim, attempt, SOON)
        else:
            await self.execute(claim, copy, attempt, match)

    async def _traded(self, copy: Copy, intent: Intent) -> Match | None:
        try:
            return evidence.of_trades(
                await self._clob.trades(intent.order_hash, intent.fields.token_id, copy.ordered_at)
            )
        except VenueUnavailable:
            return None

    async def not_sent(self, claim: Claim, copy: Copy, intent: Intent, attempt: Attempt) -> None:
        """Record that an attempt never left the host; the order ends here where no other attempt can follow it."""
        attempt = replace(attempt, outcome=Outcome.NOT_SENT)
        over = len(intent.attempts) >= self._timing.most_attempts or self._lookout.now() >= intent.deadline_at
        if over:
            await self._came_to_nothing(claim, copy, intent, attempt, "not_sent")
        else:
            await self._record(claim, attempt, wait_after(attempt.number, self._timing.resend_after))

    async def _came_to_nothing(self, claim: Claim, copy: Copy, intent: Intent, attempt: Attempt, failure: str) -> None:
        # Zero is final only when every attempt has its answer: an earlier one may still be on its way.
        earlier = (one for one in intent.attempts if one.number != attempt.number)
        if all(one.outcome in DEFINITIVE and not evidence.has_arrived(one) for one in earlier):
            await self.fail(claim, copy, intent, attempt, failure)
        else:
            await self._record(claim, attempt, wait_after(attempt.number, self._timing.resend_after))

    async def fail(self, claim: Claim, copy: Copy, intent: Intent, attempt: Attempt | None, failure: str) -> None:
        """The order can fill no more: what it had at risk is free again, and its copy may have another order."""
        now, freed = self._lookout.now(), unspent(copy, intent)
        again = await self._retry_after(copy, intent.answered(attempt))
        async with self._line.booking():
            done = await self._stores.copies.fail(claim.ref, attempt, failure, False, True, freed, None, now, again)
        if done:
            (metrics.ENDS if again is None else metrics.RETRIES).labels(failure).inc()

    async def _retry_after(self, copy: Copy, over: Intent) -> timedelta | None:
        account = await self._stores.accounts.get(copy.account_id) if copy.kind is CopyKind.ENTRY else None
        if account is None:
            return None
        most_age_ms, waits = account.limits.max_trade_age_ms, self._timing.retry_after
        return retry_after(copy, over.attempts, most_age_ms, self._lookout.now(), waits)

    async def execute(self, claim: Claim, copy: Copy, attempt: Attempt | None, match: Match) -> None:
        """There is evidence of a match: book it provisionally, with the account's line."""
        now = self._lookout.now()
        fee = match.fee_micros or await self._fee(copy, match)
        async with self._line.booking():
            account = await self._stores.accounts.get(copy.account_id)
            known = account.exposure.open.get(copy.copy_id) if account else None
            put = known and replace(
                known, shares_micros=match.shares_micros, usdc_micros=match.usdc_micros, fee_micros=fee, matched=True
            )
            done = await self._stores.copies.execute(
                claim.ref, attempt, match.shares_micros, match.usdc_micros, fee, ExposureChange(now, put=put), now
            )
        if done:
            metrics.ENDS.labels("executed").inc()

    async def _fee(self, copy: Copy, match: Match) -> int:
        # Answers and trades do not name the fee; the settlement will.
        try:
            market = await self._markets.by_token(copy.trade.token_id)
        except VenueUnavailable:
            return 0
        price = match.usdc_micros * 1_000_000 // match.shares_micros
        return market.fee.of(match.shares_micros, min(price, 1_000_000)) if market else 0

    async def _record(self, claim: Claim, attempt: Attempt, after: timedelta) -> None:
        await self._stores.copies.record(claim.ref, attempt, after, self._lookout.now())
