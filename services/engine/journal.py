"""An account's orders of the last minutes, as they are stored and as this process has just sent them."""

from collections.abc import Mapping
from datetime import timedelta

from services.common.domain.copy import Copy
from services.common.domain.recent_order import RecentOrder, recent_order
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.engine.lookout import Lookout
from services.engine.warm import Warm

KEPT = timedelta(seconds=3)
MINUTE = timedelta(minutes=1)


class Journal:
    """One reading for the gate and for decisions: `reaches` back as far as the gate looks, further where the account's limits do.

    The account counts attempts on its line, so a reading is known to be whole up to as many as it had just before; what this process
    has sent since takes it further, and what another has sent does not.
    """

    def __init__(self, account_id: str, stores: Stores, lookout: Lookout, clock: Clock, reaches: timedelta) -> None:
        self._account_id = account_id
        self._stores = stores
        self._lookout = lookout
        self._reaches = max(reaches, MINUTE)
        self._sent: dict[str, RecentOrder] = {}
        self._whole_to = -1
        self.stored = Warm(self._read, KEPT, clock)

    async def orders(self) -> tuple[RecentOrder, ...]:
        """What was sent lately, nothing that this process has sent missing. Raises `StoreUnavailable`."""
        return tuple({**self._sent, **await self.stored.get()}.values())

    async def up_to(self, attempts: int) -> tuple[RecentOrder, ...]:
        """The same, none of the account's first `attempts` missing, whoever journaled them."""
        if self._whole_to < attempts:
            await self.stored.refresh()
        return await self.orders()

    def sent(self, copy: Copy, before: int) -> None:
        """An order of this copy was journaled by this process, after `before` attempts: it counts from now on, without being read."""
        order = recent_order(copy)
        if order is not None:
            self._sent[copy.copy_id] = order
        if self._whole_to == before:
            self._whole_to += 1

    async def _read(self) -> Mapping[str, RecentOrder]:
        account = await self._stores.accounts.get(self._account_id)
        window = timedelta(milliseconds=account.limits.repetition_window_ms) if account else MINUTE
        since = self._lookout.now() - max(window, self._reaches)
        found = await self._stores.copies.recent_orders(self._account_id, since)
        self._sent = {copy_id: one for copy_id, one in self._sent.items() if one.sent_at > since}
        self._whole_to = max(self._whole_to, account.attempts if account else -1)
        return {order.copy_id: order for order in found}
