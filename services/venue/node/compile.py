"""Writes contracts/artifacts.json from the Vyper sources: `python -m services.venue.node.compile`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import vyper  # pyright: ignore[reportMissingTypeStubs]
from eth_utils.crypto import keccak
from vyper.compiler.settings import OptimizationLevel, Settings  # pyright: ignore[reportMissingTypeStubs]

from services.venue.node.artifacts import FILE, HERE, NAMES

_NAMED_ERROR = re.compile(r'raw_revert\(method_id\("(\w+)\(\)"\)\)')


def artifacts() -> dict[str, Any]:
    """Compiles every contract; needs vyper, which the running node does not."""
    return {name: _compile(HERE / f"{name}.vy") for name in NAMES}


def render() -> str:
    return json.dumps(artifacts(), separators=(",", ":"), sort_keys=True) + "\n"


def _compile(path: Path) -> dict[str, Any]:
    source = path.read_text()
    built = cast(
        "dict[str, Any]",
        vyper.compile_code(  # pyright: ignore[reportUnknownMemberType]
            source,
            output_formats=["abi", "bytecode_runtime", "layout"],
            settings=Settings(evm_version="cancun", optimize=OptimizationLevel.GAS),
        ),
    )
    variables: dict[str, dict[str, Any]] = built["layout"]["storage_layout"]
    return {
        "abi": built["abi"],
        "runtime": str(built["bytecode_runtime"]).removeprefix("0x"),
        "slots": {name: place["slot"] for name, place in variables.items()},
        "errors": {
            "0x" + keccak(text=f"{name}()")[:4].hex(): name for name in sorted(set(_NAMED_ERROR.findall(source)))
        },
    }


if __name__ == "__main__":
    FILE.write_text(render())
