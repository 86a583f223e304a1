"""Version 2's cursors: where a page ended, as base64url JSON with a signature."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, cast

import orjson

from services.venue.data.query import BadQuery

_KEY = b"the local venue's cursors"


def write_cursor(kind: str, params: dict[str, Any], filters: Mapping[str, str]) -> str:
    """An opaque text for `params`, good for lists of that kind under the same filters only."""
    data = {"type": kind, "params": params, "f": _digest(filters)}
    return base64.urlsafe_b64encode(orjson.dumps({"data": data, "sig": _sign(data)})).decode().rstrip("=")


def read_cursor(kind: str, cursor: str, filters: Mapping[str, str]) -> dict[str, Any]:
    """The params of a cursor; BadQuery for one that this venue did not write for that kind and those filters."""
    try:
        payload = cast(object, orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (binascii.Error, ValueError) as error:
        raise BadQuery("invalid cursor", "cursor") from error
    fields = cast(dict[str, Any], payload) if isinstance(payload, dict) else {}
    data = fields.get("data")
    known = cast(dict[str, Any], data) if isinstance(data, dict) else {}
    signature = str(fields.get("sig")).encode(errors="replace")
    if not known or not hmac.compare_digest(_sign(known).encode(), signature):
        raise BadQuery("invalid cursor", "cursor")
    if known["type"] != kind:
        raise BadQuery("invalid cursor", "cursor")
    if known["f"] != _digest(filters):
        raise BadQuery("cursor does not match the filters: send them again with every page", "cursor")
    return cast(dict[str, Any], known["params"])


def _digest(filters: Mapping[str, str]) -> str:
    return hashlib.sha256(orjson.dumps(dict(filters), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _sign(data: dict[str, Any]) -> str:
    return hmac.new(_KEY, orjson.dumps(data, option=orjson.OPT_SORT_KEYS), hashlib.sha256).hexdigest()[:32]
