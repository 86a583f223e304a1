"""How MongoDB is asked: driver errors become `StoreUnavailable`, transactions are short and never repeated blindly."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from services.common.ports.stores import StoreUnavailable

T = TypeVar("T")

Database = AsyncIOMotorDatabase[dict[str, Any]]
Collection = AsyncIOMotorCollection[dict[str, Any]]
Client = AsyncIOMotorClient[dict[str, Any]]
Session = AsyncIOMotorClientSession

TRIES = 40
LONGEST_PAUSE_S = 0.032
"""Twenty orders of one account that match at once all meet on its line; all tries together stay well below a lease."""
SENT_S = 0.001
"""By then what is asked for has left this host; a journaled majority takes longer."""
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
TRANSIENT = "TransientTransactionError"


class Conflict(Exception):
    """Another write was first; the transaction left nothing behind and may be tried again."""


@asynccontextmanager
async def guarded() -> AsyncGenerator[None]:
    """What the driver raises inside means that nothing is known."""
    try:
        yield
    except (DuplicateKeyError, BulkWriteError, StoreUnavailable):
        # Their details say what was applied; the caller reads them.
        raise
    except PyMongoError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}"[:200]) from error


def newest(collection: Collection) -> Collection:
    """The same collection as the primary has it now, not waiting for the journal and for other members.

    For what a durable write is made of: it makes all that the primary has written before it durable, or it is not done itself. Never
    for what something outside of the database follows from.
    """
    # The driver's types leave this one open.
    return cast(Any, collection).with_options(write_concern=WriteConcern(w=1), read_concern=ReadConcern("local"))


def unwatched() -> None:
    """Nobody is there while a commit is on its way."""


async def transact(
    client: Client, work: Callable[[Session], Awaitable[T]], committing: Callable[[], None] = unwatched
) -> T:
    """Run `work` in a transaction, again while others are first. `work` re-reads what it needs, so a repeat finds its own effect.

    The driver's own helper is not used: it repeats far beyond a lease (orders.md 1.6). A commit whose answer was lost is committed
    again; when that fails too, `StoreUnavailable` is raised and the caller reads back. `committing` is called while a commit is on its
    way: sent, and its answer not read.
    """
    for tried in range(TRIES):
        try:
            return await _once(client, work, committing)
        except Conflict:
            pause_s = min(0.001 * 2**tried, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)  # clock: between tries, nothing is decided by it
    raise StoreUnavailable("the transaction kept meeting others")


async def _once(client: Client, work: Callable[[Session], Awaitable[T]], committing: Callable[[], None]) -> T:
    async with guarded(), await client.start_session() as session:
        session.start_transaction()
        try:
            done = await work(session)
            if _open(session):
                await _commit(session, committing)
        except DuplicateKeyError as error:
            await _abandon(session)
            raise Conflict from error
        except OperationFailure as error:
            await _abandon(session)
            if error.has_error_label(TRANSIENT):
                raise Conflict from error
            raise
        except BaseException:
            await _abandon(session)
            raise
        return done


async def _commit(session: Session, committing: Callable[[], None]) -> None:
    try:
        asked = asyncio.ensure_future(session.commit_transaction())
        if committing is not unwatched:
            await asyncio.wait({asked}, timeout=SENT_S)
            committing()
        await asked
    except PyMongoError as error:
        if not error.has_error_label(UNKNOWN_COMMIT):
            raise
        await session.commit_transaction()


async def _abandon(session: Session) -> None:
    if _open(session):
        try:
            await session.abort_transaction()
        except PyMongoError:
            # The server ends it by itself within transactionLifetimeLimitSeconds.
            return


def _open(session: Session) -> bool:
    # Motor's delegated property has no type of its own.
    return bool(cast(Any, session).in_transaction)
