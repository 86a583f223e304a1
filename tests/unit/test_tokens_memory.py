"""What is remembered of a person: never longer than a moment, never against himself, and never at another's cost."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.common.domain.user import User, UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.errors import Unauthenticated
from services.common.tokens import StoredVerifier, issue, keys
from tests.patience import PATIENT_S

KEYS = keys("0123456789abcdef0123456789abcdef", None)
ANN, BOB = (User("0x" + digit * 40, UserRole.USER, 1, datetime(2026, 11, 24, tzinfo=UTC)) for digit in "ab")


class Users:
    """People by address. A read of one in `held` waits for its event; `away` fails every read."""

    def __init__(self, *people: User) -> None:
        self.people = {user.address: user for user in people}
        self.held: dict[str, asyncio.Event] = {}
        self.reads: list[str] = []
        self.away = False

    async def get(self, address: str) -> User | None:
        self.reads.append(address)
        if address in self.held:
            await self.held[address].wait()
        if self.away:
            raise StoreUnavailable("away")
        return self.people.get(address)


def token_of(user: User) -> str:
    return issue(KEYS, user, "t", datetime.now(UTC))


def verifier(users: Users) -> StoredVerifier:
    return StoredVerifier(KEYS, users, 3600)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def test_whoever_logs_in_again_after_logging_out_is_let_in_at_once() -> None:
    users = Users(ANN)
    found = verifier(users)
    await found.verify(token_of(ANN))
    again = users.people[ANN.address] = replace(ANN, token_epoch=2)

    assert (await found.verify(token_of(again))).address == ANN.address
    with pytest.raises(Unauthenticated):
        await found.verify(token_of(ANN))


async def test_whoever_has_become_an_admin_is_one_at_once() -> None:
    users = Users(ANN)
    found = verifier(users)
    await found.verify(token_of(ANN))
    admin = users.people[ANN.address] = replace(ANN, role=UserRole.ADMIN)

    assert (await found.verify(token_of(admin))).role is UserRole.ADMIN


async def test_a_token_of_an_earlier_login_costs_no_reads() -> None:
    later = replace(ANN, token_epoch=5)
    users = Users(later)
    found = verifier(users)
    await found.verify(token_of(later))
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await found.verify(token_of(ANN))

    assert len(users.reads) == 1


async def test_what_is_asked_anew_is_not_taken_from_memory() -> None:
    users = Users(ANN)
    found = verifier(users)
    await found.verify(token_of(ANN))
    users.people[ANN.address] = replace(ANN, token_epoch=2)

    assert (await found.verify(token_of(ANN))).address == ANN.address
    with pytest.raises(Unauthenticated):
        await found.verify(token_of(ANN), fresh=True)
    with pytest.raises(Unauthenticated):
        await found.verify(token_of(ANN))


async def test_nobody_waits_for_a_read_of_someone_else() -> None:
    users = Users(ANN, BOB)
    found = verifier(users)
    await found.verify(token_of(BOB))
    users.held[ANN.address] = asyncio.Event()
    waiting = asyncio.create_task(found.verify(token_of(ANN)))
    await until(lambda: ANN.address in users.reads)

    async with asyncio.timeout(PATIENT_S):
        assert (await found.verify(token_of(BOB))).address == BOB.address
    assert not waiting.done()
    users.held[ANN.address].set()
    assert (await waiting).address == ANN.address


async def test_many_who_ask_for_one_person_read_him_once() -> None:
    users = Users(ANN)
    users.held[ANN.address] = asyncio.Event()
    found = verifier(users)
    first = asyncio.create_task(found.verify(token_of(ANN)))
    others = [asyncio.create_task(found.verify(token_of(ANN))) for _ in range(50)]
    await until(lambda: bool(users.reads))
    first.cancel()
    users.held[ANN.address].set()

    assert {one.address for one in await asyncio.gather(*others)} == {ANN.address}
    assert len(users.reads) == 1


async def test_a_read_that_failed_is_tried_again_by_the_next() -> None:
    users = Users(ANN)
    users.away = True
    found = verifier(users)
    with pytest.raises(StoreUnavailable):
        await found.verify(token_of(ANN))
    users.away = False

    assert (await found.verify(token_of(ANN))).address == ANN.address


async def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.tokens.MOST_KNOWN", 10)
    people = [replace(ANN, address=f"0x{number:040x}") for number in range(25)]
    found = verifier(Users(*people))
    for user in people:
        await found.verify(token_of(user))
        assert len(found._known) <= 10
