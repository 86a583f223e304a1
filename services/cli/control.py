"""The operator's control: stop, start, pause, limit, review. Each verb is one call to the engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from polycopy.engine.v1 import engine_pb2 as pb

from services.cli.failure import CannotRun
from services.cli.operator import TIMEOUT_S, engine
from services.cli.outcome import run
from services.cli.progress import console as console_of
from services.common.config_file import AccountTable, ConfigError, read_config

Target = Annotated[str, typer.Option(envvar="ENGINE_TARGET", help="The engine's host:port.")]
Account = Annotated[str, typer.Option(help="One account; all of them where none is named.")]
One = Annotated[str, typer.Option("--account", help="The account.")]
Token = Annotated[
    str, typer.Option(envvar="POLYCOPY_TOKEN", help="Your access token: a raise is confirmed by a person.")
]
Scope = Annotated[str, typer.Argument(help="all, leader or market.")]
Subject = Annotated[str, typer.Argument(help="The leader's address or the market's condition id.")]
HERE = "127.0.0.1:50052"

limits = typer.Typer(name="limits", help="What accounts may do.", no_args_is_help=True)
config = typer.Typer(name="config", help="The configuration file.", no_args_is_help=True)


def stop(
    account: Account = "",
    reducing: Annotated[bool, typer.Option("--reducing", help="Stop entries alone; exits go on.")] = False,
    target: Target = HERE,
) -> None:
    """Stop trading: nothing is journaled from now on. It needs neither Valkey nor the gateway."""
    _said(_call(target, "StopTrading", pb.StopTradingRequest(account_id=account, reducing=reducing)).status)


def start(account: Account = "", target: Target = HERE) -> None:
    """Trade, with this engine's version alone: every other one journals nothing from now on."""
    _said(_call(target, "StartTrading", pb.StartTradingRequest(account_id=account)).status)


def pause(scope: Scope, subject: Subject = "", account: Account = "", target: Target = HERE) -> None:
    """Hold back new work: all of it, that of one leader, or that of one market."""
    asked = pb.PauseRequest(account_id=account, scope=scope, subject=subject)
    _said(f"paused: {_call(target, 'Pause', asked).pause_id}")


def resume(scope: Scope, subject: Subject = "", account: Account = "", target: Target = HERE) -> None:
    """End a pause."""
    named = f"{scope}:{subject}" if subject else scope
    _said(_call(target, "Resume", pb.ResumeRequest(account_id=account, pause_id=named)).status)


def review(
    copy_id: Annotated[
        str, typer.Argument(help="The copy that has been looked at; none lists those that want it.")
    ] = "",
    note: Annotated[str, typer.Option(help="What was found, for the trail.")] = "",
    target: Target = HERE,
) -> None:
    """List what wants a review, or say that it has been looked at."""
    if copy_id:
        asked = pb.AcknowledgeReviewRequest(copy_id=copy_id, note=note)
        _said(f"acknowledged: {_call(target, 'AcknowledgeReview', asked).copy.copy_id}")
        return
    found = _call(target, "ListReviews", pb.ListReviewsRequest()).reviews
    for copy in found:
        _said(f"{copy.copy_id}  {copy.failure or 'late fill'}  {copy.title or copy.trade.token_id}")
    _said(f"{len(found)} to review")


def repeats(
    token_id: Annotated[str, typer.Argument(help="The outcome token.")], account: Account = "", target: Target = HERE
) -> None:
    """Say that the entries of a token were meant: they are counted anew."""
    asked = pb.AcknowledgeRepetitionRequest(token_id=token_id, account_id=account)
    _said(_call(target, "AcknowledgeRepetition", asked).status)


VERBS = (stop, start, pause, resume, review, repeats)


@limits.command("show")
def show(target: Target = HERE) -> None:
    """Every account's limits, and what is waiting to be raised."""
    for account in _call(target, "GetLimits", pb.GetLimitsRequest()).accounts:
        _show(account)


@limits.command("set")
def set_(
    figures: Annotated[list[str], typer.Argument(help="max_order_usdc=100 …, the names of the configuration file.")],
    account: One,
    target: Target = HERE,
) -> None:
    """Change limits: what is tightened takes effect at once, what is raised in 24 hours or when a second admin confirms it."""
    _show(run(_set(target, account, _figures(figures))))


@limits.command()
def confirm(raise_id: str, account: One, token: Token, target: Target = HERE) -> None:
    """Put a raise in force at once, as another admin than the one who asked for it."""
    asked = pb.ConfirmRaiseRequest(account_id=account, raise_id=raise_id)
    _show(_call(target, "ConfirmRaise", asked, token).account)


@limits.command()
def cancel(raise_id: str, account: One, target: Target = HERE) -> None:
    """Take a raise back."""
    _show(_call(target, "CancelRaise", pb.CancelRaiseRequest(account_id=account, raise_id=raise_id)).account)


@config.command()
def apply(
    file: Annotated[Path, typer.Argument(help="The TOML file of accounts, follows and limits.")], target: Target = HERE
) -> None:
    """Bring the limits of stored accounts to what the file says, by the same rules: raising waits."""
    try:
        tables = read_config(file).accounts
    except ConfigError as error:
        raise typer.Exit(_wrong(error.problems)) from None
    for account in run(_apply(target, tables)):
        _show(account)
    if any(table.follows for table in tables):
        _said("follows are taken from the file when they are first made; apply changes none that is stored")


async def _apply(target: str, tables: Sequence[AccountTable]) -> list[Any]:
    async with engine(target) as stub:
        stored = (await stub.GetLimits(pb.GetLimitsRequest(), timeout=TIMEOUT_S)).accounts
        known = {account.account_id: account for account in stored}
        if strangers := [table.account_id for table in tables if table.account_id not in known]:
            raise CannotRun(f"not stored yet, the next start imports it: {', '.join(strangers)}")
        after: list[Any] = []
        for table in tables:
            figures = {name: str(figure) for name, figure in table.limits.items()}
            after.append(await _changed(stub, known[table.account_id], figures) if figures else known[table.account_id])
        return after


async def _set(target: str, account_id: str, figures: dict[str, str]) -> Any:
    async with engine(target, account_id) as stub:
        stored = (await stub.GetLimits(pb.GetLimitsRequest(), timeout=TIMEOUT_S)).accounts
        known = [account for account in stored if account.account_id == account_id.lower()]
        if not known:
            raise CannotRun(f"{account_id}: no such account")
        return await _changed(stub, known[0], figures)


async def _changed(stub: Any, known: Any, figures: dict[str, str]) -> Any:
    asked = pb.SetLimitsRequest(account_id=known.account_id, version=known.version, limits=figures)
    return (await stub.SetLimits(asked, timeout=TIMEOUT_S)).account


def _call(target: str, method: str, request: Any, token: str = "") -> Any:
    async def call() -> Any:
        who = (("authorization", f"Bearer {token}"),) if token else ()
        async with engine(target) as stub:
            return await getattr(stub, method)(request, timeout=TIMEOUT_S, metadata=who)

    return run(call())


def _figures(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise typer.BadParameter(f"{', '.join(wrong)}: expected name=figure")
    return {name: figure for name, _, figure in pairs}


def _show(account: Any) -> None:
    _said(f"{account.account_id} version {account.version}")
    for name, figure in account.limits.items():
        _said(f"  {name} = {figure}")
    for one in account.raises:
        wanted = ", ".join(f"{name} = {figure}" for name, figure in sorted(one.limits.items()))
        _said(f"  waiting {one.raise_id}: {wanted}; by {one.by}, in force {one.effective_at.ToJsonString()}")


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        _said(problem)
    return 2


def _said(text: str) -> None:
    console_of().print(text, highlight=False, markup=False, soft_wrap=True)
