"""Logs as JSON lines with allow-listed shapes, and metrics for Prometheus."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, cast

import structlog
from prometheus_client import start_http_server

BLANK = "***"
_SECRET_VALUE = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
_SECRET_NAME = re.compile(
    r"authorization|poly_|secret|password|passphrase|private|signature|token$|api_?key", re.IGNORECASE
)
_QUIET = ("httpx", "httpcore", "websockets", "web3", "pymongo", "urllib3", "uvicorn.access", "asyncio")


def configure(service: str, level: str) -> None:
    """Log as JSON to stderr from here on; libraries only warn, so that no body or URL of theirs is written."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            masked,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what is secret by its name, and tokens and passwords wherever they stand, however deep."""
    for key, value in event.items():
        event[key] = _blanked(key, value)
    return event


def _blanked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return BLANK
    match value:
        case str():
            return _SECRET_VALUE.sub(BLANK, value)
        case Mapping():
            return {key: _blanked(str(key), item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case list() | tuple() | set() | frozenset():
            return [_blanked("", item) for item in cast("Iterable[Any]", value)]
        case BaseException():
            return _SECRET_VALUE.sub(BLANK, repr(value))
        case _:
            return value


def serve_metrics(port: int) -> None:
    """Answer Prometheus on loopback; 0 does nothing."""
    if port:
        start_http_server(port, addr="127.0.0.1")
