"""What an administrator asks for: a JSON object of known names. What is wrong is refused by the name of its field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

import orjson
from eth_utils.address import is_address
from starlette.requests import Request

from services.venue.refusals import Refusal

MOST = 2**53 - 1

Body = Mapping[str, Any]
Word = TypeVar("Word", bound=StrEnum)


async def asked(request: Request, *names: str) -> dict[str, Any]:
    """The body of a request, which says nothing but these names where there are any; none at all is an empty object."""
    try:
        body = cast(object, orjson.loads(await request.body() or b"{}"))
    except orjson.JSONDecodeError as error:
        raise Refusal("expected a JSON object") from error
    found = mapping(body)
    if names:
        only(found, names)
    return found


def mapping(value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Refusal("expected a JSON object")
    return cast(dict[str, Any], value)


def only(body: Body, names: Collection[str]) -> None:
    """Nothing is passed over: a name that is not known may be one that is meant and misspelt."""
    for name in body:
        if name not in names:
            raise Refusal(f"{name}: expected one of {', '.join(sorted(names))}")


def flag(body: Body, name: str, default: bool = False) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Refusal(f"{name}: expected true or false")
    return value


def number(body: Body, name: str, default: int = 0, *, least: int = 0, most: int = MOST) -> int:
    """A whole number, which true and false are not."""
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        bounds = f", {least} or more" if most == MOST else f" from {least} to {most}"
        raise Refusal(f"{name}: expected a whole number{bounds}")
    return value


def choice(kind: type[Word], body: Body, name: str) -> Word:
    try:
        return kind(body.get(name))
    except ValueError as error:
        raise Refusal(f"{name}: expected one of {', '.join(word or 'nothing' for word in kind)}") from error


def address_of(body: Body, name: str) -> str:
    """As it is written."""
    value = body.get(name)
    if not isinstance(value, str) or not is_address(value):
        raise Refusal(f"{name}: expected an address")
    return value
