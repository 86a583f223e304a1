"""What control does to an account: each change advances its line and leaves an entry. Pure.

Everything that makes trading safer takes effect at once. What lets more pass waits for a day or for a second admin.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.common.domain import contents, limits
from services.common.domain.account import Account, AccountState, Pause, PauseScope, Raise
from services.common.domain.trail import lengthened, sealed

RAISE_AFTER = timedelta(hours=24)
REMEMBERED = timedelta(days=2)
"""How long an acknowledgement of repetitions is kept; no window is longer."""


class NotWaiting(Exception):
    """No such raise is waiting."""


class OwnRaise(Exception):
    """Who asks for a raise does not confirm it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an attempt is for, as far as control may forbid it: who would send it, and whether it opens something."""

    engine_version: str
    leader: str
    condition_id: str
    entry: bool


def created(account: Account, by: str, now: datetime) -> Account:
    """A new account with the entry that says where it comes from."""
    drafted = lengthened((), now, by, "created", account.seq, "")
    return replace(account, trail=sealed(drafted, contents.hashed(contents.of_account(account))))


def in_state(account: Account, state: AccountState, by: str, now: datetime) -> Account:
    """The account active, reducing or halted."""
    return _changed(account, replace(account, state=state), by, str(state), now)


def reduced(account: Account, by: str, why: str, now: datetime) -> Account | None:
    """The account reducing, where it was active: a halted one is not to be loosened by what wants it safer."""
    if account.state is not AccountState.ACTIVE:
        return None
    return _changed(account, replace(account, state=AccountState.REDUCING), by, f"reducing:{why}", now)


def started(account: Account, version: str, by: str, now: datetime) -> Account:
    """The account active, and served by this engine version alone: every other one journals nothing from now on.

    Its best is forgotten, and is what it has when its books are compared next: who starts it has looked at what it lost since. The old
    one holds until then, so that there is always one.
    """
    exposure = replace(account.exposure, forgets_best=True)
    after = replace(account, state=AccountState.ACTIVE, active_version=version, exposure=exposure)
    return _changed(account, after, by, f"active:{version}", now)


def paused(account: Account, pause: Pause) -> Account:
    """The account with a pause; the same scope and subject is one pause."""
    rest = tuple(known for known in account.pauses if (known.scope, known.subject) != (pause.scope, pause.subject))
    after = replace(account, pauses=(*rest, pause))
    return _changed(account, after, pause.by, f"paused:{pause.scope}:{pause.subject}", pause.at)


def resumed(account: Account, scope: PauseScope, subject: str, by: str, now: datetime) -> Account:
    """The account without that pause."""
    rest = tuple(known for known in account.pauses if (known.scope, known.subject) != (scope, subject))
    return _changed(account, replace(account, pauses=rest), by, f"resumed:{scope}:{subject}", now)


def limited(account: Account, wanted: Mapping[str, int], by: str, now: datetime) -> Account:
    """The account under the tighter of its limits and the figures wanted, by field; what is looser waits as a raise.

    A raise waits no more for a figure that is now wanted otherwise: tightened, raised by more or less, or left as it is in force.
    """
    tightened, raised = limits.changes(account.limits, limits.changed(account.limits, wanted))
    known = {name: figure for one in account.raises for name, figure in one.limits.items()}
    # What is asked for again waits no longer for that.
    otherwise = {name for name, figure in wanted.items() if known.get(name) != figure}
    waiting = _without(account.raises, otherwise)
    if anew := {name: figure for name, figure in raised.items() if name in otherwise}:
        waiting = (*waiting, Raise(f"r{account.seq + 1}", anew, by, now, now + RAISE_AFTER))
    return _limited(account, tightened, waiting, by, "limits", now)


def confirmed(account: Account, raise_id: str, by: str, now: datetime) -> Account:
    """The account with a raise in force at once, because a second person says so. Raises `OwnRaise` for the first one, `NotWaiting`.

    Who asked as an operator has no name: the first person who confirms takes the raise upon himself, and it waits for another's word.
    """
    wanted = _raise(account, raise_id)
    if wanted.by.lower() == by.lower():
        raise OwnRaise(raise_id)
    if not is_person(wanted.by):
        mine = tuple(replace(one, by=by) if one is wanted else one for one in account.raises)
        return _changed(account, replace(account, raises=mine), by, f"vouched:{raise_id}", now)
    rest = tuple(one for one in account.raises if one is not wanted)
    return _limited(account, wanted.limits, rest, by, f"confirmed:{raise_id}", now)


def is_person(by: str) -> bool:
    """Whether this names a person, who has logged in by his address: a peer of the mesh is none."""
    return by.startswith("0x")


def cancelled(account: Account, raise_id: str, by: str, now: datetime) -> Account:
    """The account without a raise that was waiting. Raises `NotWaiting`."""
    wanted = _raise(account, raise_id)
    rest = tuple(one for one in account.raises if one is not wanted)
    return _limited(account, {}, rest, by, f"cancelled:{raise_id}", now)


def ripened(account: Account, now: datetime) -> Account | None:
    """The account with every raise in force that has waited long enough; None where there is none."""
    due = [one for one in account.raises if one.effective_at <= now]
    if not due:
        return None
    figures = {name: figure for one in due for name, figure in one.limits.items()}
    rest = tuple(one for one in account.raises if one not in due)
    action = "raised:" + ",".join(one.raise_id for one in due)
    return _limited(account, figures, rest, due[-1].by, action, now)


def acknowledged(account: Account, token_id: str, by: str, now: datetime) -> Account:
    """The account with the entries of a token counted anew."""
    recent = {token: at for token, at in account.acknowledged.items() if now - at < REMEMBERED}
    return _changed(account, replace(account, acknowledged={**recent, token_id: now}), by, f"repeats:{token_id}", now)


def admits(account: Account, standing: Standing) -> bool:
    """Whether an attempt may be journaled. What reduces may pass where only entries are held."""
    if account.state is AccountState.HALTED or account.active_version not in {"", standing.engine_version}:
        return False
    if standing.entry and account.state is not AccountState.ACTIVE:
        return False
    return not any(holds(pause, standing.leader, standing.condition_id) for pause in account.pauses)


def holds(pause: Pause, leader: str, condition_id: str) -> bool:
    """Whether a pause is about this leader and market."""
    if pause.scope is PauseScope.LEADER:
        return pause.subject.lower() == leader.lower()
    return pause.scope is PauseScope.ALL or pause.subject == condition_id


def _raise(account: Account, raise_id: str) -> Raise:
    found = next((one for one in account.raises if one.raise_id == raise_id), None)
    if found is None:
        raise NotWaiting(raise_id)
    return found


def _without(raises: tuple[Raise, ...], figures: Collection[str]) -> tuple[Raise, ...]:
    """The raises without what is said of these limits anew; one that nothing is left of is gone."""
    left = (
        replace(one, limits={name: figure for name, figure in one.limits.items() if name not in figures})
        for one in raises
    )
    return tuple(one for one in left if one.limits)


def _limited(
    account: Account, figures: Mapping[str, int], raises: tuple[Raise, ...], by: str, action: str, now: datetime
) -> Account:
    version = account.limits_version + 1
    after = replace(account, limits=limits.changed(account.limits, figures), limits_version=version, raises=raises)
    return _changed(account, after, by, f"{action}:{version}", now)


def _changed(before: Account, after: Account, by: str, action: str, now: datetime) -> Account:
    after = replace(after, seq=before.seq + 1)
    said = contents.hashed(contents.of_account(before))
    drafted = lengthened(before.trail, now, by, action, after.seq, said)
    return replace(after, trail=sealed(drafted, contents.hashed(contents.of_account(after))))
