"""Which copies a question of the engine or the reconciler can be about, so that a long history costs no more than a short one."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from services.common.domain.copy import Copy
from services.common.domain.intent import IntentState
from services.common.domain.lifecycle import CopyState


class CopyIndex:
    """Copy ids by what may become of them; every listing is in the order in which the copies were inserted."""

    def __init__(self) -> None:
        self._born: dict[str, int] = {}
        self._claimable: defaultdict[str, set[str]] = defaultdict(set)
        self._unsettled: defaultdict[str, set[str]] = defaultdict(set)
        self._reviews: defaultdict[str, set[str]] = defaultdict(set)
        self._of_exit: defaultdict[str, set[str]] = defaultdict(set)
        self._of_group: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._sent_at: dict[str, datetime] = {}
        self._sent: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)

    def put(self, copy: Copy) -> None:
        """A copy is new or has changed."""
        self._born.setdefault(copy.copy_id, len(self._born))
        _keep(self._claimable[copy.account_id], copy.copy_id, copy.claimable_at is not None)
        _keep(self._unsettled[copy.account_id], copy.copy_id, _may_settle(copy))
        _keep(self._reviews[copy.account_id], copy.copy_id, copy.needs_review)
        if copy.exit_id:
            self._of_exit[copy.exit_id].add(copy.copy_id)
        if copy.group_key:
            self._of_group[copy.account_id, copy.group_key].add(copy.copy_id)
        if copy.intent is not None:
            self._note_sent(copy, copy.intent.attempts[-1].at)

    def claimable(self, account_id: str) -> Iterator[str]:
        """Copies with a `claimable_at`."""
        return self._ordered(self._claimable.get(account_id, ()))

    def unsettled(self, account_id: str) -> Iterator[str]:
        """Copies with an intent that are executed, or that were given up."""
        return self._ordered(self._unsettled.get(account_id, ()))

    def reviews(self, account_id: str) -> Iterator[str]:
        """Copies that want a review."""
        return self._ordered(self._reviews.get(account_id, ()))

    def of_exit(self, exit_id: str) -> Iterator[str]:
        """Attempts and debts of an exit."""
        return self._ordered(self._of_exit.get(exit_id, ()))

    def of_group(self, account_id: str, group_key: str) -> Iterator[str]:
        """Entries of a group."""
        return self._ordered(self._of_group.get((account_id, group_key), ()))

    def sent_since(self, account_id: str, since: datetime) -> Iterator[str]:
        """Copies whose last attempt was not before `since`."""
        sent = self._sent.get(account_id, [])
        return self._ordered(copy_id for _, copy_id in sent[bisect_left(sent, (since, "")) :])

    def _note_sent(self, copy: Copy, at: datetime) -> None:
        known = self._sent_at.get(copy.copy_id)
        if known == at:
            return
        sent = self._sent[copy.account_id]
        if known is not None:
            sent.remove((known, copy.copy_id))
        insort(sent, (at, copy.copy_id))
        self._sent_at[copy.copy_id] = at

    def _ordered(self, copy_ids: Iterable[str]) -> Iterator[str]:
        return iter(sorted(copy_ids, key=self._born.__getitem__))


def _keep(ids: set[str], copy_id: str, belongs: bool) -> None:
    (ids.add if belongs else ids.discard)(copy_id)


def _may_settle(copy: Copy) -> bool:
    if copy.intent is None:
        return False
    given_up = copy.state is CopyState.FAILED and copy.intent.state is IntentState.PRESUMED_DEAD
    return copy.state is CopyState.EXECUTED or given_up
