"""The breaker between the engine and the venue: what opens it, what closes it, and that it only ever holds new work."""

import pytest

from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.engine.breaker import Breaker
from tests.engine_world import World
from tests.scripted_venue import SHARE
from tests.still_clock import TestClock

TABLE = {
    "nothing has happened": ("", False),
    "two faults in a row": ("fault fault", False),
    "three faults in a row": ("fault fault fault", True),
    "orders without an answer are faults": ("unknown unknown unknown", True),
    "so are orders that could not be sent": ("not_sent not_sent not_sent", True),
    "whatever they are, they count together": ("unknown fault not_sent", True),
    "an order that was taken ends the row": ("fault fault acked fault fault", False),
    "a refusal is an answer": ("fault fault rejected fault", False),
    "so is a duplicate": ("fault fault duplicated fault", False),
    "a read ends the row": ("fault fault read fault fault", False),
    "a read closes it once it has cooled": ("fault fault fault 1s read", False),
    "a read just before that does not": ("fault fault fault 0.9s read", True),
    "time alone closes nothing": ("fault fault fault 60s", True),
    "an order that was on its way does not close it": ("fault fault fault 1s acked", True),
    "a further fault while it is open lets it cool anew": ("fault fault fault 0.9s fault 0.9s read", True),
    "closed again, it takes three more": ("fault fault fault 1s read fault fault", False),
    "and opens again": ("fault fault fault 1s read fault fault fault", True),
}


@pytest.mark.parametrize(("what", "is_open"), TABLE.values(), ids=TABLE.keys())
def test_the_breaker_after(what: str, is_open: bool):
    clock = TestClock()
    breaker = Breaker(clock)

    for one in what.split():
        match one:
            case "fault":
                breaker.fault()
            case "read":
                breaker.read()
            case _ if one.endswith("s"):
                clock.jump(float(one[:-1]))
            case _:
                breaker.sent(Outcome(one))

    assert breaker.is_open is is_open


async def test_while_it_is_open_nothing_is_claimed_and_what_is_under_way_is_looked_up():
    world = await World().open()
    lost = await world.buys(1)
    world.venue.script = ["lost_after"]
    engine = world.start()
    await world.run(0.5)
    for _ in range(3):
        engine.desk.executor._breaker.fault()

    waiting = await world.buys(2)
    await world.run(0.5)
    held = await world.copy(waiting)
    await world.run(10)

    assert (held.state, held.fence) == (CopyState.DETECTED, 0)
    assert (await world.copy(lost)).state is CopyState.EXECUTED
    assert (await world.copy(waiting)).state is CopyState.EXECUTED
    assert world.venue.bought() > 20 * SHARE * 9 // 10
    world.kill()
