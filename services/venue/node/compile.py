"""Writes contracts/artifacts.json from the Vyper sources: `python -m services.venue.node.compile`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import vyper  # pyright: ignore[reportMissingTypeStubs]
from eth_utils.crypto import keccak
from vyper.compiler.settings import OptimizationLevel, Settings  # pyright: ignore[reportMissingTypeStubs]

from services.venue.node import addresses
from services.venue.node.artifacts import FILE, HERE, NAMES

# Contracts that are another's source with other constants: no constructor runs on this chain, so nothing can be immutable.
VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "wrapped_collateral": ("collateral", {"name": '"Wrapped Collateral"', "symbol": '"WCOL"'}),
    "neg_risk_exchange": (
        "exchange",
        {
            "SPLITTER": f"Splitter({addresses.NEG_RISK_ADAPTER})",
            "BACKING": addresses.WRAPPED_COLLATERAL,
        },
    ),
    "exchange_v3": (
        "exchange",
        {
            "VERSION_HASH": 'keccak256("3")',
            "TOKENS": f"Tokens({addresses.POSITION_MANAGER})",
            "SPLITTER": f"Splitter({addresses.ROUTER})",
            "POSITION_IDS": "True",
        },
    ),
    "neg_risk_collateral_adapter": (
        "collateral_adapter",
        {
            "TARGET": f"Target({addresses.NEG_RISK_ADAPTER})",
            "BACKING": addresses.WRAPPED_COLLATERAL,
            "BY_AMOUNTS": "True",
        },
    ),
}

_NAMED_ERROR = re.compile(r'raw_revert\(method_id\("(\w+)\(\)"\)\)')


def artifacts() -> dict[str, Any]:
    """Compiles every contract; needs vyper, which the running node does not."""
    return {name: _compile(_source(name)) for name in NAMES}


def render() -> str:
    return json.dumps(artifacts(), separators=(",", ":"), sort_keys=True) + "\n"


def _source(name: str) -> str:
    file, constants = VARIANTS.get(name, (name, {}))
    source = (HERE / f"{file}.vy").read_text()
    for constant, value in constants.items():
        source, count = re.subn(rf"(?m)^({constant}: [^=]+ = ).*$", rf"\g<1>{value}", source)
        if count != 1:
            raise ValueError(f"{file}.vy declares {constant} {count} times")
    return source


def _compile(source: str) -> dict[str, Any]:
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
