"""Every wait and bound of the engine's work, in one place, so that tests can be quick."""

from dataclasses import dataclass
from datetime import timedelta

from services.engine.generation import MAX_ATTEMPTS, RESEND_AFTER, RETRY_AFTER


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take (orders.md 3 to 5, 10).

    - `lease`, `renew_every`: how long a claim holds, and how often it is renewed while the work lasts.
    - `sweep`: how often the collection is asked although nothing woke the worker.
    - `fresh`: bytes leave only within this time of the acknowledged write that journaled them.
    - `resend_after`, `most_attempts`: the rests between attempts, and how many there are.
    - `retry_after`: the rests between the orders of one copy, and with them how many there are.
    - `look_again`, `give_up_after`, `watch_for`: how far empty look-ups are apart, how long after the deadline an order is given up, and
      how long it is watched from then on.
    - `own_exits`: how often prices and ages are held against the follows' own exits. `overdue`: how old an exit is when a person is told.
    - `put_back`: how long work rests that a process condition or a guard put back. `drain`: what shutdown gives to work in flight.
    """

    lease: timedelta = timedelta(seconds=5)
    renew_every: timedelta = timedelta(seconds=1.5)
    sweep: timedelta = timedelta(seconds=0.5)
    fresh: timedelta = timedelta(seconds=1)
    resend_after: tuple[timedelta, ...] = RESEND_AFTER
    most_attempts: int = MAX_ATTEMPTS
    retry_after: tuple[timedelta, ...] = RETRY_AFTER
    look_again: timedelta = timedelta(seconds=30)
    give_up_after: timedelta = timedelta(seconds=60)
    watch_for: timedelta = timedelta(hours=24)
    own_exits: timedelta = timedelta(seconds=1)
    overdue: timedelta = timedelta(minutes=10)
    put_back: timedelta = timedelta(seconds=1)
    drain: timedelta = timedelta(seconds=10)
    at_once: int = 64
