"""The indexes that the protocol stands on. A store without its unique indexes does not run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import OperationFailure

from services.common.store.session import Database, guarded

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IndexMissing(Exception):
    """An index that uniqueness depends on is not there, or is another."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index; unique ones begin with the account, so that they hold on a sharded cluster."""

    collection: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        return "_".join(f"{name}_{order}" for name, order in self.keys)


def _ascending(*names: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, 1) for name in names)


INDEXES = (
    Index("user_activities", _ascending("account", "idempotencyKey"), unique=True),
    Index(
        "user_activities",
        _ascending("account", "orderHashes"),
        unique=True,
        options={"partialFilterExpression": {"orderHashes": {"$exists": True}}},
    ),
    # The claim: what is not claimable is not in it.
    Index(
        "user_activities",
        _ascending("account", "rank", "turn", "claimableAt"),
        options={"partialFilterExpression": {"claimableAt": {"$gt": EPOCH}}},
    ),
    Index("user_activities", _ascending("account", "trade.tokenId", "state")),
    Index(
        "user_activities",
        _ascending("trade.orderHash"),
        options={"partialFilterExpression": {"trade.orderHash": {"$gt": ""}}},
    ),
    Index(
        "user_activities",
        _ascending("account", "groupKey"),
        options={"partialFilterExpression": {"groupKey": {"$gt": ""}}},
    ),
    Index("user_activities", _ascending("exitId"), options={"partialFilterExpression": {"exitId": {"$gt": ""}}}),
    Index(
        "user_activities",
        _ascending("account", "unsettled", "lookedAt"),
        options={"partialFilterExpression": {"unsettled": True}},
    ),
    Index("user_activities", (("account", 1), ("detectedAt", -1), ("_id", -1))),
    Index(
        "user_activities",
        _ascending("account", "sentAt"),
        options={"partialFilterExpression": {"sentAt": {"$gt": EPOCH}}},
    ),
    # Only what still has a signature to delete.
    Index("user_activities", _ascending("forgetAt"), options={"partialFilterExpression": {"forgetAt": {"$gt": EPOCH}}}),
    Index(
        "user_activities",
        (("account", 1), ("needsReview", 1), ("detectedAt", -1)),
        options={"partialFilterExpression": {"needsReview": True}},
    ),
    Index("fills", _ascending("account", "tradeId", "orderHash"), unique=True),
    Index("fills", _ascending("copyId")),
    Index("ledger", _ascending("account", "tradeId", "orderHash"), unique=True),
    Index("ledger", _ascending("account", "tokenId", "at")),
    Index("user_positions", _ascending("account", "tokenId"), unique=True),
    Index("trails", _ascending("of", "seq")),
    Index("follows", _ascending("account", "leader"), unique=True),
    Index("exits", _ascending("account", "state")),
    Index(
        "exits", _ascending("account", "steps.removed"), options={"partialFilterExpression": {"steps.removed": True}}
    ),
    Index("close_requests", _ascending("account", "done"), options={"partialFilterExpression": {"done": False}}),
    Index("reconciliation_results", (("account", 1), ("finishedAt", -1))),
    # By then no reorg moves a trade, and its copies tell of it.
    Index("leader_fills", _ascending("tradedAt"), options={"expireAfterSeconds": 30 * 24 * 3_600}),
    Index("auth_nonces", _ascending("address", "expiresAt")),
    Index("auth_nonces", _ascending("expiresAt"), options={"expireAfterSeconds": 0}),
)


async def ensure(database: Database) -> None:
    """Create what is missing, then verify. Raises `IndexMissing` by name, or `StoreUnavailable`."""
    async with guarded():
        for index in INDEXES:
            try:
                await database[index.collection].create_index(
                    list(index.keys), unique=index.unique, name=index.name, **index.options
                )
            except OperationFailure as error:
                raise IndexMissing(
                    f"{index.collection}.{index.name}: {error.details and error.details.get('codeName')}"
                ) from error
    await verify(database)


async def verify(database: Database) -> None:
    """Raise `IndexMissing` naming every unique index that is not there as it must be."""
    missing: list[str] = []
    async with guarded():
        for index in INDEXES:
            if index.unique:
                found = (await database[index.collection].index_information()).get(index.name)
                if found is None or not _holds(index, found):
                    missing.append(f"{index.collection}.{index.name}")
    if missing:
        raise IndexMissing(", ".join(missing))


def _holds(index: Index, found: Mapping[str, Any]) -> bool:
    # A unique index that is sparse or covers fewer documents than it must lets doubles pass.
    covers = found.get("partialFilterExpression") == index.options.get("partialFilterExpression")
    return bool(found.get("unique")) and covers and not found.get("sparse") and tuple(found["key"]) == index.keys
