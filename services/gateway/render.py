"""Messages as the JSON that people read.

int64 is a number; what can pass 2^53 is a string in the contract. `size_micros` appears as `size`, a decimal number. Enum values lose
their prefix (`SIDE_BUY` is "BUY"), an unset optional field is null, times are ISO 8601 in UTC.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

MICRO = 1_000_000

Writer = Callable[[Any], Any]
Plan = tuple[tuple[str, str, bool, Writer], ...]


def public(message: Message) -> dict[str, Any]:
    """The message as a JSON-ready object with lowerCamelCase names; of a oneof only the set field is there."""
    found: dict[str, Any] = {}
    for field, name, may_be_absent, write in _plan(message.DESCRIPTOR):
        if may_be_absent and not message.HasField(field):
            continue
        found[name] = write(getattr(message, field))
    for name in _optional_names(message.DESCRIPTOR):
        found.setdefault(name, None)
    return found


def json_name(field: FieldDescriptor) -> str:
    """The field's name in JSON: lowerCamelCase, money without its unit."""
    plain = field.name.removesuffix("_micros") if is_money(field) else field.name
    head, *rest = plain.split("_")
    return head + "".join(part.capitalize() for part in rest)


def is_money(field: FieldDescriptor) -> bool:
    """An amount in millionths, told by its name and type."""
    return field.name.endswith("_micros") and field.cpp_type == FieldDescriptor.CPPTYPE_INT64


def enum_text(enum: EnumDescriptor, number: int) -> str | None:
    """The value's name without the enum's prefix; None for the unspecified one."""
    if number == 0:
        return None
    value = enum.values_by_number.get(number)
    if value is None:
        return str(number)
    return value.name.removeprefix(_prefix(enum.name))


@cache
def _prefix(name: str) -> str:
    return (
        "".join(f"_{letter}" if letter.isupper() and index else letter for index, letter in enumerate(name)).upper()
        + "_"
    )


@cache
def _plan(descriptor: Descriptor) -> Plan:
    return tuple((field.name, json_name(field), field.has_presence, _writer(field)) for field in descriptor.fields)


@cache
def _optional_names(descriptor: Descriptor) -> tuple[str, ...]:
    in_choice = {
        field.name for choice in descriptor.oneofs if not choice.name.startswith("_") for field in choice.fields
    }
    return tuple(json_name(field) for field in descriptor.fields if field.has_presence and field.name not in in_choice)


def _writer(field: FieldDescriptor) -> Writer:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict
    one = _single(field)
    if field.is_repeated:
        return lambda values: [one(value) for value in values]
    return one


def _single(field: FieldDescriptor) -> Writer:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return lambda value: value.ToJsonString()
        return public
    if field.enum_type is not None:
        return lambda value, enum=field.enum_type: enum_text(enum, value)
    if is_money(field):
        return lambda value: value / MICRO
    return _same


def _same(value: Any) -> Any:
    return value
