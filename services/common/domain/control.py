"""What control does to an account: each change advances its line and leaves an entry. Pure."""

from dataclasses import replace
from datetime import datetime

from services.common.domain.account import Account, AccountState, Limits, Pause, PauseScope
from services.common.domain.lifecycle import Actor
from services.common.domain.trail import lengthened


def in_state(account: Account, state: AccountState, by: str, now: datetime) -> Account:
    """The account active, reducing or halted."""
    return _changed(replace(account, state=state), f"{state} by {by}", now)


def paused(account: Account, pause: Pause) -> Account:
    """The account with a pause; the same scope and subject is one pause."""
    rest = tuple(known for known in account.pauses if (known.scope, known.subject) != (pause.scope, pause.subject))
    return _changed(
        replace(account, pauses=(*rest, pause)), f"paused {pause.scope} {pause.subject} by {pause.by}", pause.at
    )


def resumed(account: Account, scope: PauseScope, subject: str, by: str, now: datetime) -> Account:
    """The account without that pause."""
    rest = tuple(known for known in account.pauses if (known.scope, known.subject) != (scope, subject))
    return _changed(replace(account, pauses=rest), f"resumed {scope} {subject} by {by}", now)


def limited(account: Account, limits: Limits, by: str, now: datetime) -> Account:
    """The account under new limits."""
    version = account.limits_version + 1
    return _changed(replace(account, limits=limits, limits_version=version), f"limits {version} by {by}", now)


def served_by(account: Account, version: str, by: str, now: datetime) -> Account:
    """The account served by this engine version alone."""
    return _changed(replace(account, active_version=version), f"version {version} by {by}", now)


def _changed(account: Account, action: str, now: datetime) -> Account:
    return replace(
        account, seq=account.seq + 1, trail=lengthened(account.trail, now, Actor.ENGINE, action, account.seq + 1)
    )
