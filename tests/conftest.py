"""What every kind of test may ask for."""

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.venue"]
