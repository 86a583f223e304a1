"""Write docs/api/openapi.json from the contract: `python -m tools.openapi`."""

from importlib.metadata import version
from pathlib import Path

import orjson

from services.gateway.contract import openapi

TARGET = Path(__file__).parents[1] / "docs" / "api" / "openapi.json"


def rendered() -> bytes:
    """The document as it is checked in."""
    return orjson.dumps(openapi(version("polycopy")), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    TARGET.write_bytes(rendered())
