"""The token that a request carries. One that carries two is refused, not read one way here and another way elsewhere."""

import re

from starlette.datastructures import Headers, QueryParams

PROTOCOL_PREFIX = "bearer."
NO_GOOD = "-"

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


def bearer(headers: Headers) -> str:
    """The token of the Authorization header; empty for any other scheme, no good one where there are two headers."""
    given = headers.getlist("authorization")
    if len(given) > 1:
        return NO_GOOD
    scheme, _, token = (given[0] if given else "").partition(" ")
    return _well_formed(token.strip()) if scheme.lower() == "bearer" else ""


def credentials(query: QueryParams, headers: Headers) -> tuple[str, str | None]:
    """The token (header, subprotocol `bearer.<jwt>`, or `?token=`) and the subprotocol to answer with."""
    offered = [part.strip() for part in ",".join(headers.getlist("sec-websocket-protocol")).split(",")]
    protocols = [part for part in offered if part.startswith(PROTOCOL_PREFIX)]
    tokens = [
        bearer(headers),
        *(_well_formed(part.removeprefix(PROTOCOL_PREFIX)) for part in protocols),
        *(_well_formed(token) for token in query.getlist("token")),
    ]
    found = {token for token in tokens if token}
    if len(found) > 1:
        return NO_GOOD, None
    return "".join(found), protocols[0] if protocols and not tokens[0] else None


def _well_formed(token: str) -> str:
    # One that could not even travel on is refused as any other bad one, and not taken for none.
    return token if not token or _TOKEN.fullmatch(token) else NO_GOOD
