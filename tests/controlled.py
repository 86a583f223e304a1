"""What people do to accounts and follows, as changes of the store: `stores.accounts.change(account_id, halted(now))`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.common.domain import changes, control
from services.common.domain.account import Account, AccountState, Pause, PauseScope
from services.common.domain.follow import Follow, Leaving

OfAccount = Callable[[Account], Account | None]
OfFollow = Callable[[Follow], Follow | None]


def brought_to(state: AccountState, now: datetime) -> OfAccount:
    return lambda account: control.in_state(account, state, "ops", now)


def halted(now: datetime) -> OfAccount:
    return brought_to(AccountState.HALTED, now)


def paused(now: datetime, scope: PauseScope = PauseScope.ALL, subject: str = "", by: str = "ops") -> OfAccount:
    return lambda account: control.paused(account, Pause(scope, subject, by, now))


def resumed(now: datetime, scope: PauseScope = PauseScope.ALL, subject: str = "") -> OfAccount:
    return lambda account: control.resumed(account, scope, subject, "ops", now)


def limited(now: datetime, figures: Mapping[str, int], version: int = 1) -> OfAccount:
    """On the version of the limits that was read."""
    return lambda known: control.limited(known, figures, "ops", now) if known.limits_version == version else None


def started(now: datetime, version: str) -> OfAccount:
    return lambda account: control.started(account, version, "ops", now)


def left(way: Leaving, now: datetime, by: str = "0xowner") -> OfFollow:
    return lambda follow: changes.leaving(follow, way, by, now)


def over(way: Leaving, now: datetime) -> OfFollow:
    return lambda follow: changes.over(follow, way, now)


def as_it_is_not(**fields: Any) -> OfFollow:
    """A follow with other fields, whoever may have changed them."""
    return lambda follow: replace(follow, **fields)
