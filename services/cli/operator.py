"""The operator's verbs over the mesh: gRPC from loopback, like grpcurl, or with the operator's certificate."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from grpc import StatusCode, aio
from polycopy.common.v1 import trade_pb2
from polycopy.engine.v1 import engine_pb2 as pb
from polycopy.engine.v1 import engine_pb2_grpc
from rich.console import Console
from rich.table import Table

from services.cli.failure import CannotRun
from services.cli.wire import channel
from services.common.rpc.server import Tls

ENGINE = "polycopy.engine.v1.EngineService"
TIMEOUT_S = 5.0
AWAY = frozenset({StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED})


@asynccontextmanager
async def engine(
    target: str, subject: str = "the engine", tls: Tls | None = None
) -> "AsyncGenerator[engine_pb2_grpc.EngineServiceAsyncStub]":
    """The engine at `target`, by the operator's certificate where one is given or set. Raises `CannotRun` where it does not answer,
    or refuses."""
    async with channel(target, [ENGINE], tls) as connection:
        try:
            yield engine_pb2_grpc.EngineServiceStub(connection)
        except aio.AioRpcError as error:
            if error.code() in AWAY:
                raise CannotRun(f"no engine answers at {target}; `polycopy up` starts one") from error
            raise CannotRun(f"{subject}: {error.details()}") from error


async def status(target: str, console: Console) -> None:
    """What the engine does, and what keeps it waiting. Raises `CannotRun`."""
    async with engine(target) as stub:
        answer = await stub.GetTradingStatus(pb.GetTradingStatusRequest(), timeout=TIMEOUT_S)
    console.print(
        f"{'trading' if answer.is_running else 'stopped'}, up {answer.uptime_ms // 1000} s, "
        f"{answer.active_trades} trades under way, version {answer.version}",
        highlight=False,
    )
    table = Table("account", "state", "paused", "version", "line", "open intents")
    for account in answer.accounts:
        paused = ", ".join(pause.pause_id for pause in account.pauses)
        version = account.active_version or "any"
        table.add_row(account.wallet, account.state, paused, version, str(account.seq), str(account.open_intents))
    console.print(table)
    for condition in answer.waiting_for:
        observed = ", ".join(f"{name} {value}" for name, value in sorted(condition.observed.items()))
        console.print(f"waiting for {condition.name}: {observed}", highlight=False)


async def waiting_for(target: str, tls: Tls | None = None) -> list[str]:
    """The gate's conditions that keep new work waiting. Raises `CannotRun`."""
    async with engine(target, tls=tls) as stub:
        answer = await stub.GetTradingStatus(pb.GetTradingStatusRequest(), timeout=TIMEOUT_S)
    return [condition.name for condition in answer.waiting_for]


async def explain(target: str, copy_id: str, console: Console) -> None:
    """Why a copy was ordered, skipped or failed: every guard with what it saw and what it wanted. Raises `CannotRun`."""
    async with engine(target, copy_id) as stub:
        answer = await stub.ExplainCopy(pb.ExplainCopyRequest(copy_id=copy_id), timeout=TIMEOUT_S)
    show_explanation(answer, console)


def show_explanation(answer: pb.ExplainCopyResponse, console: Console) -> None:
    """Print it: the guards with what they saw, wanted and would have let pass, then what the copy went through."""
    copy = answer.copy
    reason = copy.skip_reason or copy.failure
    console.print(f"{copy.copy_id}: {_word(copy.state)}{': ' + reason if reason else ''}", highlight=False)
    if answer.decided_for:
        console.print(f"part of the order of {answer.decided_for}", highlight=False)
    table = Table("guard", "says", "observed", "limit", "age, ms", "needed")
    for verdict in answer.verdicts:
        says = "ok" if verdict.ok else f"refuses: {verdict.reason}"
        age = str(verdict.age_ms) if verdict.HasField("age_ms") else ""
        needed = _needed(verdict.difference) if verdict.HasField("difference") else ""
        table.add_row(verdict.guard, says, _figures(verdict.observed), _figures(verdict.limit), age, needed)
    console.print(table if answer.verdicts else "nothing was decided yet")
    for entry in answer.trail:
        console.print(f"{entry.at.ToJsonString()}  {entry.actor}  {entry.action}", highlight=False)
    for attempt in answer.attempts:
        console.print(
            f"order {attempt.order_hash} attempt {attempt.number}: {attempt.outcome} {attempt.code}", highlight=False
        )


def _word(state: int) -> str:
    return trade_pb2.CopyState.Name(state).removeprefix("COPY_STATE_").lower()  # type: ignore[arg-type]


def _needed(difference: pb.Difference) -> str:
    if difference.relation == "known":
        return f"{difference.name} to be known"
    words = {"equal": "", "below": "below ", "at_most": "at most ", "at_least": "at least "}
    return f"{difference.name} {words.get(difference.relation, '')}{difference.needed}, not {difference.observed}"


def _figures(figures: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(dict(figures).items()))  # type: ignore[call-overload]
