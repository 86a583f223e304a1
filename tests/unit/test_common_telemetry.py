"""What is logged is JSON, and no secret is in it, wherever it stands."""

import json
import subprocess
import sys

import pytest

from services.common.telemetry import masked

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_x"
HIDDEN = "***"


def shown(**event: object) -> object:
    return masked(None, "info", dict(event))


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "POLY_SIGNATURE",
        "poly_passphrase",
        "jwt_secret",
        "password",
        "private_key",
        "signature",
        "access_token",
        "api_key",
        "apiKey",
    ],
)
@pytest.mark.parametrize("value", ["x", 7, None, {"x": 1}])
def test_what_is_secret_by_its_name_is_blank(name: str, value: object):
    assert shown(**{name: value}) == {name: HIDDEN}
    assert shown(headers={name: value}) == {"headers": {name: HIDDEN}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Bearer {JWT} was sent", f"Bearer {HIDDEN} was sent"),
        ("mongodb://user:pa%40ss@host:27017/?x=1", f"mongodb://{HIDDEN}@host:27017/?x=1"),
        ("redis://:secret@host:6379/0", f"redis://{HIDDEN}@host:6379/0"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("https://clob.example/order?id=0x1", "https://clob.example/order?id=0x1"),
    ],
)
def test_tokens_and_passwords_are_blank_wherever_they_stand(text: str, expected: str):
    assert shown(text=text) == {"text": expected}
    assert shown(deep={"list": [{"text": text}, (text,)]}) == {"deep": {"list": [{"text": expected}, [expected]]}}
    assert HIDDEN not in expected or JWT not in str(shown(error=ValueError(text)))


def test_everything_else_is_shown_as_it_is():
    event = {"copy": "0xabc", "shares_micros": 10, "leaders": ["0x1"], "at": None, "token_id": "77", "order": {"n": 1}}

    assert masked(None, "info", dict(event)) == event


SCRIPT = """
import structlog, logging
from services.common import telemetry
telemetry.configure("monitor", "{}")
log = structlog.get_logger()
log.debug("quiet")
log.info("heard", number=1)
try:
    raise ValueError("at mongodb://a:b@c/d")
except ValueError:
    log.exception("failed")
logging.getLogger("httpx").info("GET https://x/?secret=1")
"""


@pytest.mark.parametrize(("level", "events"), [("info", ["heard", "failed"]), ("debug", ["quiet", "heard", "failed"])])
def test_a_process_logs_one_json_object_a_line_to_stderr(level: str, events: list[str]):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(level)], capture_output=True, text=True, timeout=60, check=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == events
    assert {line["service"] for line in lines} == {"monitor"}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "a:b@" not in done.stderr
    assert "ValueError" in lines[-1]["exception"]
    assert done.stdout == ""
