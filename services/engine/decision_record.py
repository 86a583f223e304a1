"""A case as plain data: what a decision keeps of it, and the way back, so that it can be made again from its own record."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from services.common.domain.market import Book, Level
from services.engine.case import Case

Write = Callable[[Any], object]
Read = Callable[[Any], Any]


def write_case(case: Case) -> dict[str, object]:
    """The case in strings, integers, booleans, lists and mappings; of the book only what the order would have touched."""
    copy, account = replace(case.copy, decision=None, trail=()), replace(case.account, trail=())
    follow = case.follow and replace(case.follow, trail=())
    kept = replace(case, copy=copy, account=account, follow=follow, book=_touched(case))
    return cast("dict[str, object]", _writer(Case)(kept))


def kept(case: Case) -> str:
    """The case as a decision keeps it."""
    return json.dumps(write_case(case), separators=(",", ":"))


def read_case(record: Mapping[str, object]) -> Case:
    """The case that was kept; deciding on it again gives the same verdicts."""
    return cast("Case", _reader(Case)(record))


def _touched(case: Case) -> Book | None:
    book, draft = case.book, case.draft
    if book is None or draft is None:
        return book
    bids, asks = (_enough(side, draft.shares_micros, draft.usdc_micros) for side in (book.bids, book.asks))
    return replace(book, bids=bids, asks=asks)


def _enough(levels: tuple[Level, ...], shares_micros: int, usdc_micros: int) -> tuple[Level, ...]:
    """Best levels up to the one at which both the shares and the money of the order are used up; all where one cannot be, and refuses."""
    shares = usdc = 0
    for count, level in enumerate(levels, start=1):
        shares += level.size_micros
        usdc += level.size_micros * level.price_micros // 1_000_000
        if shares >= shares_micros and usdc >= usdc_micros:
            return levels[:count] if all(one.is_sound for one in levels[count:]) else levels
    return levels


def _same(value: Any) -> Any:
    return value


def _optional(kind: Any) -> Any:
    """The other member of `X | None`."""
    if get_origin(kind) not in (Union, UnionType):
        return None
    return next(member for member in get_args(kind) if member is not NoneType)


@cache
def _writer(kind: Any) -> Write:
    if inner := _optional(kind):
        write = _writer(inner)
        return lambda value: None if value is None else write(value)
    if is_dataclass(kind):
        return _write_fields(kind)
    if kind is datetime:
        return lambda value: value.isoformat()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value: value.value
    return _write_many(kind)


def _write_fields(kind: Any) -> Write:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    writers = [(name, write) for name in names if (write := _writer(hints[name])) is not _same]

    def write_fields(value: Any) -> object:
        record = {name: getattr(value, name) for name in names}
        for name, write in writers:
            record[name] = write(record[name])
        return record

    return write_fields


def _write_many(kind: Any) -> Write:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Mapping:
        write = _writer(arguments[1])
        return lambda value: {key: write(item) for key, item in value.items()}
    if origin is frozenset:
        return sorted
    if origin is tuple:
        write = _writer(arguments[0])
        return lambda value: [write(item) for item in value]
    return _same


@cache
def _reader(kind: Any) -> Read:
    if inner := _optional(kind):
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if is_dataclass(kind):
        return _read_fields(kind)
    if kind is datetime:
        return datetime.fromisoformat
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _read_many(kind)


def _read_fields(kind: Any) -> Read:
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    return lambda value: kind(**{name: readers[name](item) for name, item in value.items()})


def _read_many(kind: Any) -> Read:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Mapping:
        read = _reader(arguments[1])
        return lambda value: {key: read(item) for key, item in value.items()}
    if origin is frozenset:
        return frozenset
    if origin is tuple:
        read = _reader(arguments[0])
        return lambda value: tuple(read(item) for item in value)
    return _same
