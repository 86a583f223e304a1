"""The checked-in contract code is what its sources compile to."""

from services.venue.node import compile as compiler
from services.venue.node.artifacts import FILE


def test_the_artifacts_are_those_of_the_sources():
    assert FILE.read_text() == compiler.render(), "run: python -m services.venue.node.compile"
