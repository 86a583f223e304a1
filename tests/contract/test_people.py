"""People and their login messages: an epoch only advances, a message is used once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain.changes import welcomed
from services.common.domain.user import Nonce, User, UserRole
from services.common.ports.stores import Stores

ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40


def a_user(now: datetime, role: UserRole = UserRole.USER, address: str = ALICE) -> User:
    return User(address, role, 0, now)


def a_nonce(name: str, now: datetime, lives_s: float = 300, address: str = ALICE) -> Nonce:
    return Nonce(name, address, f"sign {name}\nplease", now + timedelta(seconds=lives_s))


async def test_a_user_who_comes_again_keeps_his_epoch_and_takes_the_role(stores: Stores, now: datetime) -> None:
    first = await stores.users.upsert(a_user(now))
    await stores.users.advance_epoch(ALICE, now)

    again = await stores.users.upsert(a_user(now + timedelta(days=1), UserRole.ADMIN))

    assert first == welcomed(a_user(now))
    assert replace(again, trail=()) == replace(a_user(now), token_epoch=1, role=UserRole.ADMIN)
    assert [entry.action for entry in again.trail] == ["created:user", "signed_out", "role:admin"]
    assert await stores.users.get(ALICE) == again


async def test_epochs_in_a_race_all_advance(stores: Stores, now: datetime) -> None:
    await stores.users.upsert(a_user(now))

    epochs = await asyncio.gather(*(stores.users.advance_epoch(ALICE, now) for _ in range(8)))

    assert sorted(user.token_epoch for user in epochs if user) == list(range(1, 9))


async def test_first_logins_in_a_race_make_one_user(stores: Stores, now: datetime) -> None:
    made = await asyncio.gather(*(stores.users.upsert(a_user(now)) for _ in range(12)))

    assert set(made) == {welcomed(a_user(now))}


async def test_nobody_has_no_epoch(stores: Stores, now: datetime) -> None:
    assert await stores.users.get(BOB) is None
    assert await stores.users.advance_epoch(BOB, now) is None


async def test_a_login_message_is_used_once(stores: Stores, now: datetime) -> None:
    nonce = a_nonce("n1", now)
    await stores.nonces.add(nonce)

    used = await asyncio.gather(*(stores.nonces.consume("n1", ALICE, now) for _ in range(8)))

    assert [one for one in used if one] == [nonce]
    assert await stores.nonces.open_for(ALICE, now) == ()


async def test_a_message_of_another_or_over_is_not_used(stores: Stores, now: datetime) -> None:
    nonce = a_nonce("n1", now)
    await stores.nonces.add(nonce)

    assert await stores.nonces.consume("n1", BOB, now) is None
    assert await stores.nonces.consume("n1", ALICE, nonce.expires_at) is None
    assert await stores.nonces.consume("n2", ALICE, now) is None
    assert await stores.nonces.open_for(ALICE, nonce.expires_at) == ()
    assert await stores.nonces.consume("n1", ALICE, nonce.expires_at - timedelta(milliseconds=1)) == nonce


async def test_a_message_that_is_added_again_is_the_one_that_was_there(stores: Stores, now: datetime) -> None:
    nonce = a_nonce("n1", now)
    await stores.nonces.add(nonce)

    await stores.nonces.add(nonce)
    await stores.nonces.add(a_nonce("n1", now, address=BOB))

    assert await stores.nonces.open_for(ALICE, now) == (nonce,)
    assert await stores.nonces.open_for(BOB, now) == ()


async def test_the_newest_open_messages_of_an_address_come_first_and_are_few(stores: Stores, now: datetime) -> None:
    made = [a_nonce(f"n{number}", now, 300 + number) for number in range(8)]
    for nonce in [*made, a_nonce("other", now, 999, BOB)]:
        await stores.nonces.add(nonce)

    assert await stores.nonces.open_for(ALICE, now) == tuple(reversed(made[3:]))
    assert await stores.nonces.open_for(ALICE, now, limit=2) == (made[7], made[6])
