"""A decision can be made again from what was kept of it, and comes out the same."""

from dataclasses import replace

from services.common.domain.market import Level
from services.engine.decision_record import read_case
from services.engine.pipeline import Refused, decide
from services.engine.pricing import drafted
from tests.builders_case import a_book, a_case


def test_a_level_that_cannot_be_refuses_again_from_the_record_however_deep_it_lies():
    book = a_book()
    deep = replace(book, asks=(*book.asks, *(Level(900_000 + n, 10**12) for n in range(20)), Level(1_000_000, 5)))
    outcome = decide(drafted(a_case(book=deep)))
    assert isinstance(outcome, Refused)
    assert outcome.skip_reason == "market_data"

    again = decide(read_case(outcome.decision.case))

    assert again.decision.verdicts == outcome.decision.verdicts
