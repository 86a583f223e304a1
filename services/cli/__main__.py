"""`polycopy`: one command for everything that a person does with PolyCopy."""

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from eth_account import Account
from eth_account.messages import encode_defunct

from services.cli import demo as demonstration
from services.cli import exits, operator, pause, signer
from services.cli import up as running
from services.cli.addresses import Addresses
from services.cli.audit import audit
from services.cli.control import VERBS, Target, config, limits
from services.cli.failure import CannotRun
from services.cli.outcome import cannot, console, run
from services.cli.progress import console as console_of
from services.cli.replay.command import replay_command
from services.cli.stack import Options
from services.cli.summary import ok
from services.common.polymarket.environment import PRODUCTION
from services.common.rpc.authority import LEAF_LIFE, Authority, certificates
from services.common.sealing import SealKeyRejected, add_key
from services.common.signing.key_file import KeyRejected, read_key

EXIT_NOT_PROVEN = 1

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(limits)
app.add_typer(config)
app.add_typer(audit)
for verb in VERBS:
    app.command()(verb)

SignerTarget = Annotated[str, typer.Option(envvar="SIGNER_TARGET", help="The signer's host:port.")]
SignedWallet = Annotated[str, typer.Argument(help="One wallet; all where none is named.", show_default=False)]
Folder = Annotated[Path, typer.Option(help="Where logs, keys and the database go.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same leaders and trades.")]


@app.command()
def demo(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the summary to this file.")] = None,
    trades: Annotated[int, typer.Option(min=1, help="At least so many leader trades.")] = 30,
    seed: Seed = 1,
    folder: Folder = Path("run/demo"),
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the database's files.")] = False,
) -> None:
    """Copy scripted leaders on this machine, end to end. Exits 0 only if nothing is duplicated, lost or unreconciled."""
    found = run(demonstration.demo(_options(folder, seed, free_ports=True), trades, console, keep=keep))
    demonstration.show(found, console)
    if json_file is not None:
        demonstration.write(found, json_file)
    raise typer.Exit(0 if ok(found) else EXIT_NOT_PROVEN)


@app.command()
def up(
    seed: Seed = 1,
    folder: Folder = Path("run/up"),
    script: Annotated[
        str, typer.Option(help="What the venue's leaders do once all is up; `none` leaves them idle.")
    ] = "demo",
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports instead of the usual ones.")
    ] = False,
) -> None:
    """Run the mesh until Ctrl-C, paper trading against the local venue."""
    run(running.up(_options(folder, seed, free_ports=free_ports), script, console), interrupted=0)


app.command("replay")(replay_command)


@app.command()
def status(target: Target = "127.0.0.1:50052") -> None:
    """What the engine does, and what keeps it waiting."""
    run(operator.status(target, console_of()))


@app.command()
def explain(copy_id: Annotated[str, typer.Argument(help="The copy's id.")], target: Target = "127.0.0.1:50052") -> None:
    """Why a copy was ordered, skipped or failed: every guard, what it saw, and what it wanted."""
    run(operator.explain(target, copy_id, console_of()))


at_signer = typer.Typer(help="The signer's own stop, by the operator's certificate.", no_args_is_help=True)
app.add_typer(at_signer, name="signer")


@at_signer.command("status")
def signer_status(target: SignerTarget = "127.0.0.1:50055") -> None:
    """The wallets that it holds, and who halted them."""
    run(signer.status(target, console_of()))


@at_signer.command("halt")
def signer_halt(wallet: SignedWallet = "", target: SignerTarget = "127.0.0.1:50055") -> None:
    """Sign no order of a wallet, or of any, until `resume`. Needs neither engine, gateway nor database."""
    run(signer.halt(target, wallet, console_of()))


@at_signer.command("resume")
def signer_resume(wallet: SignedWallet = "", target: SignerTarget = "127.0.0.1:50055") -> None:
    """End the halts of a wallet, or every one. Accounts that are stopped stay so."""
    run(signer.resume(target, wallet, console_of()))


@app.command("certificates")
def issue_certificates(
    folder: Annotated[Path, typer.Argument(help="Where they go; `ca.key` in it is the mesh's own secret.")],
    environment: Annotated[str, typer.Option(help="Stands in every name: prod, staging.")] = "prod",
    days: Annotated[int, typer.Option(min=1, max=30, help="How long they are good.")] = LEAF_LIFE.days,
) -> None:
    """Make a certificate for each service and for the operator, by an authority that is made at the first time."""
    if not re.fullmatch(r"[a-z0-9-]+", environment):
        cannot(f"--environment {environment!r}: expected lower-case letters, digits and hyphens")
    now = datetime.now(UTC)
    try:
        authority = Authority.kept(folder, now)
        made = certificates(authority, folder, now, environment=environment, life=timedelta(days=days))
    except (OSError, ValueError) as error:
        cannot(f"{folder}: {error}")
    for name, tls in made.items():
        typer.echo(f"{name}: {tls.certificate}, {tls.key}")


@app.command("seal-key")
def seal_key(
    file: Annotated[Path, typer.Argument(help="SEAL_KEY_FILE of the engine; made where it is not there.")],
) -> None:
    """Make a key that stored signatures are encrypted with, in front of those that the file has; the engine takes it at its next start."""
    try:
        key_id = add_key(file)
    except SealKeyRejected as error:
        cannot(str(error))
    typer.echo(f"{file}: key {key_id} encrypts from the engine's next start")


@app.command("close")
def close_(
    assets: Annotated[list[str], typer.Argument(help="Token ids; everything that is held of them is sold.")],
    request_id: Annotated[
        str, typer.Option(help="A name for this wish: the same name never sells twice. One is made up and printed.")
    ] = "",
    account: Annotated[str, typer.Option(help="One account; all where it is not given.")] = "",
    target: Target = "127.0.0.1:50052",
) -> None:
    """Sell what accounts hold of some tokens, over all follows."""
    run(exits.close(target, assets, request_id, account, console_of()))


@app.command()
def unfollow(
    leader: Annotated[str, typer.Argument(help="The leader's wallet.")],
    close: Annotated[
        bool | None, typer.Option("--close/--keep", help="Sell what the follow holds, or keep it. One must be said.")
    ] = None,
    account: Annotated[str, typer.Option(help="One account; all where it is not given.")] = "",
    target: Annotated[str, typer.Option(envvar="MONITOR_TARGET", help="The monitor's host:port.")] = "127.0.0.1:50051",
) -> None:
    """Follow a leader no more: nothing is bought from now on, and what is held is sold or kept."""
    if close is None:
        cannot("unfollow: say --close or --keep: what the follow holds is sold, or stays")
    run(exits.unfollow(target, leader, account, "close" if close else "keep", console_of()))


@app.command()
def sign(
    key_file: Annotated[Path, typer.Argument(help="File with the wallet's key, readable by its owner alone.")],
) -> None:
    """Sign the message on standard input, as logging in asks for; prints the signature."""
    try:
        key = read_key(key_file)
    except KeyRejected as error:
        cannot(str(error))
    signed = Account.from_key(key).sign_message(encode_defunct(text=sys.stdin.read()))
    typer.echo("0x" + signed.signature.hex().removeprefix("0x"))


@app.command("pause-user")
def pause_user(
    key_file: Annotated[Path, typer.Argument(help="File with the wallet's key, readable by its owner alone.")],
    unpause: Annotated[bool, typer.Option("--unpause", help="What ends it, instead.")] = False,
    nonce: Annotated[
        int | None, typer.Option(min=0, help="The wallet's next nonce; asked of the node if not given.")
    ] = None,
    rpc_url: Annotated[str, typer.Option(envvar="RPC_URL", help="The node.")] = PRODUCTION.rpc_url,
    chain_id: Annotated[int, typer.Option(envvar="CHAIN_ID", min=1, help="The chain.")] = PRODUCTION.chain_id,
    exchange: Annotated[
        list[str] | None, typer.Option(help="An exchange's address; all that orders are signed for if not given.")
    ] = None,
    max_fee_gwei: Annotated[int, typer.Option(min=1, help="The most that a unit of gas may cost.")] = 1_000,
    tip_gwei: Annotated[int, typer.Option(min=1, help="What of it the block's maker gets.")] = 50,
) -> None:
    """Sign, and not send, the transactions that stop a wallet on the chain: one line each, EXCHANGE NONCE RAW. With --nonce, offline."""
    for address in exchange or ():
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
            cannot(f"--exchange {address!r}: expected 0x and 40 hex digits")
    try:
        key = read_key(key_file)
        first = pause.asked(rpc_url, key, chain_id) if nonce is None else nonce
    except (KeyRejected, CannotRun) as error:
        cannot(str(error))
    terms = pause.Terms(chain_id, first, max_fee_gwei, tip_gwei)
    for one in pause.presigned(key, exchange or PRODUCTION.exchanges, terms, unpause=unpause):
        typer.echo(f"{one.exchange} {one.nonce} {one.raw}")


def _options(folder: Path, seed: int, *, free_ports: bool) -> Options:
    """Servers whose URL is set are used where they run; the rest is started."""
    addresses = Addresses.free() if free_ports else Addresses()
    mongodb_uri, redis_url = os.environ.get("MONGODB_URI", ""), os.environ.get("REDIS_URL", "")
    return Options(folder.absolute(), addresses, seed=seed, mongodb_uri=mongodb_uri, redis_url=redis_url)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
