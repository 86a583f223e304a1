"""What every kind of test may ask for."""

import pytest

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.venue"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sim-seed", type=int, action="append", default=[], help="play this seed of the simulation, and no other"
    )
