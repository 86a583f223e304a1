"""A store that shows a copy once everything written before is durable: a claim is told of earlier than that."""

from datetime import UTC, datetime

from services.common.domain.copy import Copy
from services.common.store.client import MongoStores


def durably(stores: MongoStores) -> MongoStores:
    """The same store; its `copies.get` waits for what was written before."""
    shown = stores.copies.get

    async def get(copy_id: str) -> Copy | None:
        # A durable write of nothing waits for all that the primary has written.
        await stores.copies.touch("nobody's", datetime.now(UTC))
        return await shown(copy_id)

    stores.copies.get = get  # type: ignore[method-assign]
    return stores
