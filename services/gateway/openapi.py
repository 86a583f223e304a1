"""OpenAPI 3.1, read from the contract's descriptors and their comments."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from services.gateway.render import enum_text, is_money, json_name
from services.gateway.routes import Route

_TEXT = {"type": "string"}
_KINDS: Mapping[int, dict[str, Any]] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "integer", "minimum": 0},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_STRING: _TEXT,
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
}
_ERRORS = {
    "400": "A field is not what was expected.",
    "401": "No token, or one that is not good.",
    "403": "The token's role may not do this.",
    "404": "There is no such thing.",
    "409": "It cannot be done in the state things are in.",
    "413": "The body is larger than any request needs.",
    "429": "The budget is used up; `Retry-After` says for how long.",
    "500": "Something broke here.",
    "503": "Something that this needs is away.",
}


def comments(schema: FileDescriptorSet) -> dict[str, str]:
    """The leading comment of every message, field, service and method, by full name."""
    found: dict[str, str] = {}
    for file in schema.file:
        for location in file.source_code_info.location:
            if location.leading_comments and (name := _name(file, tuple(location.path))):
                found[f"{file.package}.{name}"] = " ".join(location.leading_comments.split())
    return found


def _name(file: Any, path: tuple[int, ...]) -> str | None:
    # Paths are field numbers and indexes of FileDescriptorProto: 4 messages (2 fields), 6 services (2 methods).
    match path:
        case (4, message):
            return file.message_type[message].name
        case (4, message, 2, field):
            return f"{file.message_type[message].name}.{file.message_type[message].field[field].name}"
        case (6, service):
            return file.service[service].name
        case (6, service, 2, method):
            return f"{file.service[service].name}.{file.service[service].method[method].name}"
        case _:
            return None


class Document:
    """Builds the document for a list of routes."""

    def __init__(self, routes: Sequence[Route], said: Mapping[str, str], version: str) -> None:
        self._routes = routes
        self._said = said
        self._version = version
        self._schemas: dict[str, Any] = {}

    def build(self) -> dict[str, Any]:
        """The whole document."""
        paths: dict[str, Any] = {}
        for route in self._routes:
            paths.setdefault(route.path, {})[route.verb.lower()] = self._operation(route)
        return {
            "openapi": "3.1.0",
            "info": {"title": "PolyCopy", "version": self._version, "description": "Copy trading for Polymarket."},
            "paths": paths,
            "components": {
                "schemas": self._schemas | {"Error": _error()},
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }

    def _operation(self, route: Route) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": route.method.name,
            "tags": [route.service.rpartition(".")[2].removesuffix("Service")],
            "summary": self._said.get(f"{route.service}.{route.method.name}", route.method.name),
            "parameters": self._parameters(route),
            "responses": self._responses(route),
            "security": [] if route.public else [{"bearer": []}],
        }
        if route.body:
            operation["requestBody"] = {"content": {"application/json": {"schema": self._body(route)}}}
        return operation

    def _body(self, route: Route) -> dict[str, Any]:
        schema = self._object(route.request, skip=route.variables)
        return schema | {"additionalProperties": False}

    def _parameters(self, route: Route) -> list[dict[str, Any]]:
        found = [self._parameter(route.request.fields_by_name[name], "path") for name in route.variables]
        if not route.body:
            found += [
                self._parameter(field, "query") for field in route.request.fields if field.name not in route.variables
            ]
        return found

    def _parameter(self, field: FieldDescriptor, place: str) -> dict[str, Any]:
        name = field.name if place == "path" else json_name(field)
        schema = self._field(field)
        return {
            "name": name,
            "in": place,
            "required": place == "path",
            "schema": schema,
            "description": schema.get("description", ""),
        }

    def _responses(self, route: Route) -> dict[str, Any]:
        data = self._data(route)
        envelope = {
            "type": "object",
            "required": ["success", "timestamp"],
            "properties": {"success": {"const": True}, "data": data, "timestamp": {"type": "integer"}},
        }
        failures = {code: _failure(text) for code, text in _ERRORS.items()}
        return {"200": {"description": "Done.", "content": {"application/json": {"schema": envelope}}}, **failures}

    def _data(self, route: Route) -> dict[str, Any]:
        if route.access.data_field:
            return self._field(route.response.fields_by_name[route.access.data_field])
        return self._reference(route.response)

    def _reference(self, message: Descriptor) -> dict[str, Any]:
        name = message.name
        if name not in self._schemas:
            self._schemas[name] = {}
            self._schemas[name] = self._object(message)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, message: Descriptor, skip: Sequence[str] = ()) -> dict[str, Any]:
        properties = {json_name(field): self._field(field) for field in message.fields if field.name not in skip}
        return {
            "type": "object",
            "description": self._said.get(message.full_name, message.name),
            "properties": properties,
        }

    def _field(self, field: FieldDescriptor) -> dict[str, Any]:
        said = {"description": text} if (text := self._said.get(field.full_name)) else {}
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return {"type": "object", "additionalProperties": _TEXT, **said}
        one = self._single(field)
        if field.is_repeated:
            return {"type": "array", "items": one, **said}
        if field.has_presence and "$ref" not in one:
            one = one | {"type": [one["type"], "null"]}
        elif field.has_presence:
            one = {"anyOf": [one, {"type": "null"}]}
        return one | said

    def _single(self, field: FieldDescriptor) -> dict[str, Any]:
        if field.message_type is not None:
            if field.message_type.full_name == "google.protobuf.Timestamp":
                return {"type": "string", "format": "date-time"}
            return self._reference(field.message_type)
        if field.enum_type is not None:
            return {
                "type": ["string", "null"],
                "enum": [enum_text(field.enum_type, value.number) for value in field.enum_type.values],
            }
        return {"type": "number"} if is_money(field) else dict(_KINDS.get(field.cpp_type, _TEXT))


def _failure(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}


def _error() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["success", "error", "timestamp"],
        "properties": {
            "success": {"const": False},
            "error": _TEXT,
            "reason": _TEXT,
            "metadata": {"type": "object", "additionalProperties": _TEXT},
            "timestamp": {"type": "integer"},
        },
    }
