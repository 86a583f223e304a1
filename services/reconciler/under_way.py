"""What of an account may be moving now, so that its books say nothing of it yet."""

from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Stores

UNSETTLED_AT_MOST = 1_000
MAY_MOVE = frozenset({CopyState.EXECUTING, CopyState.EXECUTED})


async def moving(stores: Stores, account_id: str) -> set[str]:
    """Tokens that an order may have moved whose fills are not booked. Raises `StoreUnavailable`."""
    unsettled = await stores.copies.unsettled(account_id, UNSETTLED_AT_MOST)
    account = await stores.accounts.get(account_id)
    known = {copy.copy_id for copy in unsettled}
    intents = account.exposure.open if account else ()
    sent = [await stores.copies.get(copy_id) for copy_id in intents if copy_id not in known]
    under_way = (copy for copy in sent if copy is not None and copy.state in MAY_MOVE)
    return {copy.trade.token_id for copy in (*unsettled, *under_way)}
