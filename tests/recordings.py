"""Recorded payloads of the venue and of the chain, kept beside the repository; tests that need one are skipped without it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def path(name: str) -> Path:
    """The file of a recording, or a skip that names it."""
    found = DATA / name
    if not found.exists():
        pytest.skip(f"recording absent: {name}")
    return found


def load(name: str) -> Any:
    """A recording as plain JSON."""
    return json.loads(text(name))


def text(name: str) -> str:
    """A recording as it lies there."""
    found = path(name)
    return gzip.decompress(found.read_bytes()).decode() if found.suffix == ".gz" else found.read_text()
