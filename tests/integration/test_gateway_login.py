"""Logging in at the real gateway with messages that must not work, and with one message at many doors at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from eth_account import Account

from tests.gateway_world import World, gateway_world, sign

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
async def world(kept_uri: str, redis_url: str) -> AsyncIterator[World]:
    async with gateway_world(kept_uri, redis_url, public_url="https://copy.example") as made:
        yield made


async def asked(world: World, address: str) -> dict[str, Any]:
    data: dict[str, Any] = (await world.http.post("/api/auth/nonce", json={"address": address})).json()["data"]
    return data


@pytest.mark.parametrize("naming", [True, False], ids=["naming the nonce", "naming none"])
async def test_of_fifty_logins_with_one_message_one_succeeds(world: World, naming: bool) -> None:
    wallet = Account.create()
    given = await asked(world, wallet.address)
    body = {"address": wallet.address, "signature": sign(wallet, given["message"])}
    if naming:
        body["nonce"] = given["nonce"]
    answers = await asyncio.gather(*(world.http.post("/api/auth/login", json=body) for _ in range(50)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 49}
    assert {answer.json().get("reason") for answer in answers} == {None, "LOGIN_REFUSED"}


async def test_the_message_says_where_it_opens_a_door(world: World) -> None:
    message = (await asked(world, world.admin.address))["message"]

    assert message.startswith("copy.example wants you to sign in with your Ethereum account:\n" + world.admin.address)
    assert "\nURI: https://copy.example" in message
    assert "\nChain ID: 137\n" in message


CHANGES: dict[str, Callable[[str], str]] = {
    "another domain": lambda text: text.replace("copy.example wants", "evil.example wants"),
    "another address to open": lambda text: text.replace("URI: https://copy.example", "URI: https://evil.example"),
    "another chain": lambda text: text.replace("Chain ID: 137", "Chain ID: 1"),
    "another version": lambda text: text.replace("Version: 1", "Version: 2"),
    "another nonce": lambda text: text[: text.index("Nonce: ")] + "Nonce: " + "0" * 32 + text[text.index("\nIssued") :],
    "more time": lambda text: text.replace("Expiration Time: 20", "Expiration Time: 30"),
    "another statement": lambda text: text.replace("signs no transaction", "signs a transaction"),
    "a line more": lambda text: text + "\nNot Before: 2020-01-01T00:00:00Z",
    "a space more": lambda text: text + " ",
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_signature_of_a_changed_message_opens_nothing(world: World, change: Callable[[str], str]) -> None:
    wallet = Account.create()
    given = await asked(world, wallet.address)
    changed = change(given["message"])
    body = {"address": wallet.address, "signature": sign(wallet, changed)}
    refused = [await world.http.post("/api/auth/login", json=body | more) for more in ({}, {"nonce": given["nonce"]})]

    assert changed != given["message"]
    assert [(one.status_code, one.json()["reason"]) for one in refused] == [(401, "LOGIN_REFUSED")] * 2


def halves(signature: str) -> tuple[bytes, bytes, int]:
    raw = bytes.fromhex(signature[2:])
    return raw[:32], raw[32:64], raw[64]


def malleated(signature: str) -> str:
    first, second, parity = halves(signature)
    flipped = (ORDER - int.from_bytes(second, "big")).to_bytes(32, "big")
    return "0x" + (first + flipped + bytes([55 - parity])).hex()


def compact(signature: str) -> str:
    first, second, parity = halves(signature)
    return "0x" + first.hex() + (int.from_bytes(second, "big") | (parity - 27) << 255).to_bytes(32, "big").hex()


FORMS: dict[str, Callable[[str], str]] = {
    "malleated": malleated,
    "compact, of 64 bytes": compact,
    "without its prefix": lambda text: text[2:],
    "with a byte more": lambda text: text + "00",
    "with a recovery id of another chain": lambda text: text[:-2] + "25",
    "with spaces": lambda text: text[:-2] + "  ",
    "wrapped for a contract": lambda text: text + "6492" * 16,
    "of a contract": lambda text: "0x",
    "with r of zero": lambda text: "0x" + "00" * 32 + text[66:],
    "with s of zero": lambda text: text[:66] + "00" * 32 + text[-2:],
    "with r above the order": lambda text: "0x" + "ff" * 32 + text[66:],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_a_signature_in_another_form_opens_nothing(world: World, form: Callable[[str], str]) -> None:
    wallet = Account.create()
    given = await asked(world, wallet.address)
    good = {"address": wallet.address, "signature": sign(wallet, given["message"])}
    bad = await world.http.post("/api/auth/login", json=good | {"signature": form(good["signature"])})
    later = await world.http.post("/api/auth/login", json=good)

    assert (bad.status_code, bad.json()["reason"]) == (401, "LOGIN_REFUSED")
    assert later.status_code == 200


async def test_a_nonce_of_one_opens_no_door_for_another(world: World) -> None:
    one, other = Account.create(), Account.create()
    given, own = await asked(world, one.address), await asked(world, other.address)
    bodies = [
        {"address": other.address, "signature": sign(other, given["message"]), "nonce": given["nonce"]},
        {"address": other.address, "signature": sign(other, own["message"]), "nonce": given["nonce"]},
        {"address": one.address, "signature": sign(other, given["message"])},
        {"address": one.address, "signature": sign(one, own["message"])},
    ]
    refused = [(await world.http.post("/api/auth/login", json=body)).status_code for body in bodies]
    body = {"address": one.address, "signature": sign(one, given["message"]), "nonce": given["nonce"]}

    assert refused == [401] * 4
    assert (await world.http.post("/api/auth/login", json=body)).status_code == 200


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"user": {"role": "admin"}}, {"message": "mine"}])
async def test_what_nobody_asked_for_is_refused(world: World, extra: dict[str, Any]) -> None:
    wallet = Account.create()
    given = await asked(world, wallet.address)
    body = {"address": wallet.address, "signature": sign(wallet, given["message"])}
    answer = await world.http.post("/api/auth/login", json=body | extra)

    assert (answer.status_code, answer.json()["error"]) == (400, f"{next(iter(extra))}: not a field of this request")
