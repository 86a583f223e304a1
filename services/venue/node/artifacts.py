"""The compiled contracts, read from the checked-in file so that a start needs no compiler."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "contracts"
FILE = HERE / "artifacts.json"
NAMES = (
    *("collateral", "conditional_tokens", "wrapped_collateral", "exchange", "neg_risk_exchange", "exchange_v3"),
    *("neg_risk_adapter", "collateral_adapter", "neg_risk_collateral_adapter"),
    *("position_manager", "router", "auto_redeemer", "unserved"),
    *("wallet_deposit", "wallet_multisend", "wallet_proxy", "wallet_safe"),
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One contract: the code that lies on chain, its interface, and where its variables are stored."""

    abi: list[dict[str, Any]]
    runtime: bytes
    slots: dict[str, int]


@cache
def load(name: str) -> Artifact:
    """The artifact of one of NAMES; KeyError for any other."""
    entry = _entries()[name]
    return Artifact(abi=entry["abi"], runtime=bytes.fromhex(entry["runtime"]), slots=entry["slots"])


@cache
def error_names() -> dict[str, str]:
    """Four-byte selectors (0x…) of the contracts' named errors."""
    return {selector: name for name in NAMES for selector, name in _entries()[name]["errors"].items()}


@cache
def _entries() -> dict[str, Any]:
    return json.loads(FILE.read_text())
