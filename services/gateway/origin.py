"""Whether a page of some origin may open a stream: a browser sends Origin, and lets any page connect a WebSocket."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def same_or_allowed(headers: Mapping[str, str], allowed: tuple[str, ...]) -> bool:
    """No browser asks, or a page of this very host, or one of an allowed origin."""
    origin = headers.get("origin")
    if origin is None or origin in allowed:
        return True
    try:
        return bool(netloc := urlsplit(origin).netloc) and netloc == headers.get("host")
    except ValueError:
        return False
