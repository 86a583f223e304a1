"""Puts raised limits in force once they have waited long enough."""

from collections.abc import Collection

import structlog

from services.common.domain import control
from services.common.ports.stores import Stores
from services.engine.status import Status

log = structlog.get_logger()


class Ripening:
    """Looks after the raises of this process's accounts. Several processes may: a raise takes effect once, by compare-and-set."""

    def __init__(self, accounts: Collection[str], stores: Stores, status: Status) -> None:
        self._accounts = accounts
        self._stores = stores
        self._status = status

    async def turn(self) -> None:
        """Raise what is due by the database's clock."""
        now = await self._stores.now()
        for account_id in self._accounts:
            after = await self._stores.accounts.change(account_id, lambda account: control.ripened(account, now))
            if after is not None:
                log.warning("limits_raised", account=account_id, version=after.limits_version)
                self._status.changed([account_id])
