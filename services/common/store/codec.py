"""Domain objects as MongoDB documents and back, by their types.

Field names become camelCase (`account_id` is `account`, `follow_id` is `follow`), enums their values, aware instants dates. Integers
stay int64; one that does not fit is text, as token ids always are. A record's id field is `_id`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Convert = Callable[[Any], Any]

RENAMED = {"account_id": "account", "follow_id": "follow"}
INT64 = 2**63


def encode(value: Any) -> dict[str, Any]:
    """A dataclass as a document."""
    return _writer(value.__class__)(value)


def decode(kind: type[T], document: Mapping[str, Any]) -> T:
    """The document as a `kind`; fields that it lacks take their defaults, fields that are not known are passed over."""
    return _reader(kind)(document)


def document(value: Any, id_field: str) -> dict[str, Any]:
    """A record as a document with its id as `_id`."""
    made = encode(value)
    return {"_id": made.pop(key(id_field)), **made}


def record(kind: type[T], found: Mapping[str, Any], id_field: str) -> T:
    """A record from a document with `_id`."""
    return decode(kind, {**found, key(id_field): found["_id"]})


def key(name: str) -> str:
    """A field's name in the database."""
    if name in RENAMED:
        return RENAMED[name]
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def plain(value: Any) -> Any:
    """A value of no declared type (a kept case, a figure by name) as MongoDB takes it."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast(list[Any], value)]
    if isinstance(value, int) and not isinstance(value, bool) and not -INT64 <= value < INT64:
        return str(value)
    return value.value if isinstance(value, Enum) else value


@cache
def _writer(kind: Any) -> Convert:
    inner = _inner(kind)
    write = _plain_writer(inner)
    return write if inner is kind else lambda value: None if value is None else write(value)


def _plain_writer(kind: Any) -> Convert:
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        plan = [(field.name, key(field.name), _writer(hints[field.name])) for field in fields(kind)]
        return lambda value: {name: write(getattr(value, attribute)) for attribute, name, write in plan}
    if get_origin(kind) is tuple:
        item = _writer(get_args(kind)[0])
        return lambda values: [item(value) for value in values]
    if _is_mapping(kind):
        entry = _writer(get_args(kind)[1])
        return lambda values: {name: entry(value) for name, value in values.items()}
    return plain


@cache
def _reader(kind: Any) -> Convert:
    inner = _inner(kind)
    read = _plain_reader(inner)
    return read if inner is kind else lambda value: None if value is None else read(value)


def _plain_reader(kind: Any) -> Convert:
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return _object_reader(
            kind, [(field.name, key(field.name), _reader(hints[field.name])) for field in fields(kind)]
        )
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_reader(kind)
    if get_origin(kind) is tuple:
        item = _reader(get_args(kind)[0])
        return lambda values: tuple(item(value) for value in values)
    if _is_mapping(kind):
        entry = _reader(get_args(kind)[1])
        return lambda values: {name: entry(value) for name, value in values.items()}
    converters: dict[Any, Convert] = {datetime: aware, int: int}
    return converters.get(kind, _same)


def _object_reader(kind: Any, plan: list[tuple[str, str, Convert]]) -> Convert:
    def read(found: Mapping[str, Any]) -> Any:
        return kind(**{attribute: convert(found[name]) for attribute, name, convert in plan if name in found})

    return read


def _enum_reader(kind: type[Enum]) -> Convert:
    # A call of the class takes five times as long, and documents are full of them.
    members: dict[Any, Enum] = {member.value: member for member in kind}
    return lambda value: members[value] if value in members else kind(value)


def _inner(kind: Any) -> Any:
    if get_origin(kind) in {Union, UnionType}:
        return next(member for member in get_args(kind) if member is not NoneType)
    return kind


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def aware(value: datetime) -> datetime:
    """An instant as the domain has it."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _same(value: Any) -> Any:
    return value
