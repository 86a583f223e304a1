"""What the engine stores of a signature is sealed; one that it cannot open is made again, for the same order."""

import json

import pytest

from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.sealing import KeyRing
from tests.builders import SEAL
from tests.engine_world import World


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def sent(world: World) -> list[str]:
    """The signatures that have left."""
    return [json.loads(post)["order"]["signature"] for post in world.venue.posts]


async def test_what_is_stored_is_sealed_and_what_is_sent_is_not(world: World):
    copy = await world.buys()
    world.start()
    await world.run(5)

    (signature,), stored = sent(world), (await world.copy(copy)).intent
    assert stored
    assert len(signature) == 132
    assert signature[2:] not in stored.signature
    assert SEAL.opened(copy.copy_id, stored.order_hash, stored.signature) == signature


async def resent(world: World, ring: KeyRing) -> tuple[int, CopyState]:
    """An order whose first sending never left is sent again, by an engine with these keys; how often it was signed meanwhile."""
    world.venue.script = ["not_sent", "fill"]
    copy = await world.buys()
    world.start()
    await world.run(0.5)
    stored = (await world.copy(copy)).intent
    assert stored
    assert [attempt.outcome for attempt in stored.attempts] == [Outcome.NOT_SENT]
    assert stored.signature
    world.kill()

    signing, asked = world.pen.sign_intent, []

    async def sign(copy_id, intent):
        asked.append(intent.order_hash)
        return await signing(copy_id, intent)

    world.pen.sign_intent, world.seal = sign, ring
    world.start("another")
    await world.run(30)

    done = await world.copy(copy)
    assert done.intent
    assert done.order_hashes == (stored.order_hash,)
    assert ring.opened(copy.copy_id, stored.order_hash, done.intent.signature) == sent(world)[-1]
    assert len(set(world.venue.posts)) == 1
    return len(asked), done.state


async def test_a_signature_that_opens_is_sent_again_and_not_made_again(world: World):
    assert await resent(world, SEAL) == (0, CopyState.EXECUTED)


async def test_without_its_key_the_same_order_is_signed_again_and_its_signature_replaced(world: World):
    assert await resent(world, KeyRing([bytes([9]) * 32])) == (1, CopyState.EXECUTED)
