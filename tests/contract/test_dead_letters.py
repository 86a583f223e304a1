"""Dead letters: one for each shape, counted, whatever its fields are called and its body holds."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from services.common.domain.dead_letter import DeadLetter
from services.common.ports.stores import Stores


def a_letter(now: datetime, digest: str = "d1", **changes: object) -> DeadLetter:
    made = DeadLetter(digest, "data_api", "field `size` is missing", {"side": "str"}, '{"side": "BUY"}', now)
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_letter_is_kept_as_it_was_given(stores: Stores, now: datetime) -> None:
    await stores.dead_letters.add(a_letter(now))

    assert await stores.dead_letters.all() == (a_letter(now),)


async def test_repeats_of_a_shape_are_one_letter_and_counted(stores: Stores, now: datetime) -> None:
    await asyncio.gather(*(stores.dead_letters.add(a_letter(now)) for _ in range(20)))
    await stores.dead_letters.add(a_letter(now, reason="another", body="later"))

    assert await stores.dead_letters.all() == (a_letter(now, count=21),)


async def test_letters_are_listed_by_their_digests(stores: Stores, now: datetime) -> None:
    for digest in ("d2", "d1", "d3"):
        await stores.dead_letters.add(a_letter(now, digest))

    assert [letter.digest for letter in await stores.dead_letters.all()] == ["d1", "d2", "d3"]


@pytest.mark.parametrize(
    "name", ["", ".", "a.b", "$set", "a.$b", "nul\x00inside", "ключ", "\ud800", "_id", "$"], ids=ascii
)
async def test_any_field_name_can_be_kept(stores: Stores, now: datetime, name: str) -> None:
    letter = a_letter(now, shape={name: "str", "side": "str"}, body=f"body of {name}")

    await stores.dead_letters.add(letter)
    await stores.dead_letters.add(letter)

    (kept,) = await stores.dead_letters.all()
    assert kept.count == 2
    assert len(kept.shape) == 2
    assert kept.shape["side"] == "str"
