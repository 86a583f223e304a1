"""What every kind of test may ask for."""

import os

import pytest
from hypothesis import settings

from services.cli import child

# How long an example takes says more of this machine than of what is tested.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.venue"]


def pytest_configure() -> None:
    """Each worker takes its ports from a part of its own: between choice and use nobody else comes by them."""
    first, end = child.PORTS
    many, number = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    share = (end - first) // many
    begin = first + int(number.removeprefix("gw")) % many * share
    child.PORTS = (begin, begin + share)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sim-seed", type=int, action="append", default=[], help="play this seed of the simulation, and no other"
    )
