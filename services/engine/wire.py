"""Messages of EngineService from what the domain knows."""

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from polycopy.engine.v1 import engine_pb2 as pb

from services.common.domain.account import Account, PauseScope
from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState
from services.common.domain.verdict import Verdict
from services.common.limits_table import write_figures
from services.common.ports.answers import Change
from services.common.rpc.errors import InvalidArgument
from services.common.rpc.messages import write_copy, write_instant
from services.engine.counterfactual import Difference, difference

_LEADER = re.compile("0x[0-9a-fA-F]{40}")
_MARKET = re.compile("0x[0-9a-f]{64}")
MOST_ASSETS = 50
LONGEST_REQUEST = 100
_TOKEN_ID = re.compile(r"[1-9][0-9]{0,77}")
_REQUEST_ID = re.compile(r"[!-{}~]{1,100}")

TOLD = frozenset({CopyState.EXECUTED, CopyState.RECONCILED, CopyState.SKIPPED, CopyState.FAILED})
"""The states that people hear of."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to close, each token once, and by which name."""

    asset_ids: tuple[str, ...]
    request_id: str


def read_close(request: pb.ClosePositionsRequest) -> Wish:
    """A wish to close, with a name made up where it has none. Raises `InvalidArgument`."""
    assets = tuple(dict.fromkeys(request.asset_ids))
    if not 0 < len(assets) <= MOST_ASSETS or not all(map(_TOKEN_ID.fullmatch, assets)):
        raise InvalidArgument("assetIds", f"1 to {MOST_ASSETS} token ids, decimal")
    if request.request_id and not _REQUEST_ID.fullmatch(request.request_id):
        raise InvalidArgument("requestId", f"up to {LONGEST_REQUEST} visible characters of ASCII, none of them |")
    return Wish(assets, request.request_id or uuid.uuid4().hex)  # chance: a name, nothing is decided by it


def write_closing(asset_ids: Sequence[str]) -> pb.ClosePositionsResponse:
    """What is being closed."""
    several = "position" if len(asset_ids) == 1 else "positions"
    return pb.ClosePositionsResponse(message=f"closing {len(asset_ids)} {several}", asset_ids=asset_ids)


def write_account(account: Account) -> pb.AccountStatus:
    """One account's state."""
    return pb.AccountStatus(
        account_id=account.account_id,
        wallet=account.wallet,
        state=account.state,
        seq=account.seq,
        open_intents=len(account.exposure.open),
        pauses=[
            pb.AccountPause(pause_id=pause_id(pause.scope, pause.subject), by=pause.by, at=write_instant(pause.at))
            for pause in account.pauses
        ],
        active_version=account.active_version,
    )


def pause_id(scope: PauseScope, subject: str) -> str:
    """How a pause is named: by what it holds."""
    return f"{scope}:{subject}" if subject else str(scope)


def read_pause(named: str) -> tuple[PauseScope, str]:
    """Scope and subject of a pause's id. Raises `InvalidArgument`."""
    scope, _, subject = named.partition(":")
    return read_scope(scope, subject, "pause_id")


def read_scope(scope: str, subject: str, field: str) -> tuple[PauseScope, str]:
    """What is to wait. Raises `InvalidArgument` where scope and subject do not fit together."""
    if scope == PauseScope.ALL and not subject:
        return PauseScope.ALL, ""
    if scope == PauseScope.LEADER and _LEADER.fullmatch(subject):
        return PauseScope.LEADER, subject.lower()
    if scope == PauseScope.MARKET and _MARKET.fullmatch(subject):
        return PauseScope.MARKET, subject
    raise InvalidArgument(field, "all, leader with an address, or market with a condition id")


def write_limits(account: Account) -> pb.AccountLimits:
    """What an account may do, and what is waiting."""
    return pb.AccountLimits(
        account_id=account.account_id,
        version=account.limits_version,
        limits=write_figures(asdict(account.limits)),
        raises=[
            pb.LimitRaise(
                raise_id=one.raise_id,
                limits=write_figures(one.limits),
                by=one.by,
                at=write_instant(one.at),
                effective_at=write_instant(one.effective_at),
            )
            for one in account.raises
        ],
    )


def write_conditions(closed: Iterable[Verdict]) -> Iterator[pb.GateCondition]:
    """The conditions that keep new work waiting, each once."""
    for name, verdict in {verdict.guard: verdict for verdict in closed}.items():
        yield pb.GateCondition(name=name, observed={**verdict.observed, "reason": verdict.reason})


def write_explanation(copy: Copy, eldest: Copy | None = None) -> pb.ExplainCopyResponse:
    """The decision on a copy as it was kept, what it did since, and every time that its orders were sent.

    A member of a group has neither of its own: they are those of its `eldest`.
    """
    orders, decision = (eldest or copy).intents, (eldest or copy).decision
    explained = pb.ExplainCopyResponse(
        copy=write_copy(copy),
        decided_for=eldest.copy_id if eldest else "",
        trail=[
            pb.TrailEntry(
                seq=entry.seq,
                at=write_instant(entry.at),
                actor=entry.actor,
                action=entry.action,
                fence=entry.fence,
                digest=entry.digest,
            )
            for entry in copy.trail
        ],
        attempts=[
            pb.Attempt(
                order_hash=intent.order_hash,
                number=attempt.number,
                at=write_instant(attempt.at),
                outcome=attempt.outcome,
                code=attempt.code,
            )
            for intent in orders
            for attempt in intent.attempts
        ],
    )
    if decision is not None:
        explained.decided_at.CopyFrom(write_instant(decision.at))
        explained.account_seq = decision.account_seq
        explained.verdicts.extend(map(write_verdict, decision.verdicts))
    return explained


def write_verdict(verdict: Verdict) -> pb.Verdict:
    """What one guard said."""
    return pb.Verdict(
        guard=verdict.guard,
        ok=verdict.ok,
        reason=verdict.reason,
        observed=verdict.observed,
        limit=verdict.limit,
        age_ms=verdict.age_ms,
        difference=write_difference(difference(verdict)),
    )


def write_difference(found: Difference | None) -> pb.Difference | None:
    """What would have had to differ."""
    if found is None:
        return None
    return pb.Difference(name=found.name, relation=found.relation, observed=found.observed, needed=found.needed)


def write_change(change: Change[Copy]) -> pb.WatchEventsResponse | None:
    """A change of a copy as an event; None for one that people do not hear of."""
    copy = change.value
    if copy is None:
        return pb.WatchEventsResponse(resume_token=change.token, resync=pb.Resync(reason="the resume token is too old"))
    if copy.state not in TOLD:
        return None
    told = pb.TradeExecuted(trade_id=copy.copy_id, status=copy.state, details=write_copy(copy))
    return pb.WatchEventsResponse(resume_token=change.token, trade_executed=told)
