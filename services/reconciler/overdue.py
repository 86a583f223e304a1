"""Matches that should have settled long ago: the venue calls a trade terminal and the chain does not, or nobody names a trade at all."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState

log = structlog.get_logger()

OLDEST = Gauge(
    "polycopy_reconciler_oldest_match_seconds", "How long the oldest match has waited for its settlement", ["account"]
)

AFTER = timedelta(minutes=10)
"""A settlement takes seconds, and a minute where the venue tries again; its cash and its place in flight are held meanwhile."""


class Overdue:
    """One account's matches by their age. Each that is overdue is told once by this process."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._told: frozenset[str] = frozenset()

    def see(self, unsettled: Sequence[Copy], now: datetime) -> None:
        """`unsettled` are the copies that are looked at in this turn."""
        matched = {copy.copy_id: copy.executed_at for copy in unsettled if copy.state is CopyState.EXECUTED}
        ages = {copy_id: now - since for copy_id, since in matched.items() if since is not None}
        OLDEST.labels(self._account_id).set(max(ages.values(), default=timedelta(0)).total_seconds())
        overdue = frozenset(copy_id for copy_id, age in ages.items() if age > AFTER)
        for copy_id in sorted(overdue - self._told):
            log.error("settlement_overdue", copy=copy_id, account=self._account_id)
        self._told = overdue
