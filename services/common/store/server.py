"""What the protocol needs of the server itself. One that cannot give it is refused in words that help."""

from pymongo.errors import OperationFailure

from services.common.ports.stores import StoreUnavailable
from services.common.store.session import Client, guarded

LONGEST_TRANSACTION_S = 3
"""A process that dies inside a transaction holds its account for as long; a lease is longer."""

LIFETIME = "transactionLifetimeLimitSeconds"


class ServerUnfit(Exception):
    """This MongoDB cannot carry the protocol; the text says what to change."""


async def verify(client: Client) -> None:
    """Raise `ServerUnfit` unless the server is of a replica set and ends a dead process's transactions soon; or `StoreUnavailable`."""
    async with guarded():
        hello = await client.admin.command("hello")
    if "setName" not in hello:
        raise ServerUnfit(
            "MongoDB is not a replica set, which transactions and change streams need:"
            " start mongod with --replSet rs0 and run rs.initiate() once (one member will do)"
        )
    if (lifetime := await _lifetime(client)) > LONGEST_TRANSACTION_S:
        raise ServerUnfit(
            f"MongoDB lets a dead process hold an account for {lifetime} s:"
            f" start mongod with --setParameter {LIFETIME}={LONGEST_TRANSACTION_S}"
        )


async def _lifetime(client: Client) -> int:
    try:
        async with guarded():
            answer = await client.admin.command({"getParameter": 1, LIFETIME: 1})
    except StoreUnavailable as error:
        if isinstance(error.__cause__, OperationFailure):
            raise ServerUnfit(f"MongoDB does not tell its {LIFETIME}: {error.__cause__}") from error
        raise
    return int(answer[LIFETIME])
