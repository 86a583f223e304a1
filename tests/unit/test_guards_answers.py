"""How a guard answers: yes, no with its figures, or no because a figure is not known."""

import pytest

from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.guards.answer import allow, at_most, count_at_most, missing, of_entries, of_everything, unless
from tests.builders_case import a_case, an_exit_case

SEEN, MOST = {"seen": "7"}, {"most": "6"}


def test_what_passes_says_why_and_how_old_it_is():
    assert allow(SEEN, MOST, 40) == Verdict("", True, "", SEEN, MOST, 40)
    assert allow(SEEN, MOST) == Verdict("", True, "", SEEN, MOST, None)


def test_the_first_reason_that_holds_names_the_refusal():
    assert unless({"a": False, "b": True, "c": True}, SEEN, MOST, 40) == Verdict("", False, "b", SEEN, MOST, 40)
    assert unless({"a": False, "b": False}, SEEN, MOST) == Verdict("", True, "", SEEN, MOST, None)


def test_what_is_missing_is_named():
    assert missing("bid", "ask") == Verdict("", False, "missing", {"missing": "bid, ask"}, {"missing": "none"})


@pytest.mark.parametrize(
    ("judge", "figures"), [(at_most, ("0.000002", "0.000001")), (count_at_most, ("2", "1"))], ids=["money", "a count"]
)
def test_a_figure_passes_up_to_its_limit_and_no_further(judge, figures):
    seen, most = figures

    assert judge("cap", "usdc", 1, 1) == Verdict("", True, "", {"usdc": most}, {"usdc": most})
    assert judge("cap", "usdc", 2, 1) == Verdict("", False, "cap", {"usdc": seen}, {"usdc": most})
    assert judge("cap", "usdc", 0, 0) == Verdict("", True, "", {"usdc": "0"}, {"usdc": "0"})


@pytest.mark.parametrize("judge", [at_most, count_at_most])
@pytest.mark.parametrize(("observed", "limit"), [(-1, 5), (-1, -1), (0, -1)])
def test_a_figure_below_zero_is_none(judge, observed, limit):
    assert judge("cap", "usdc", observed, limit) == missing("usdc")


def a_judge(case: Case) -> Verdict:
    return Verdict("", False, "no", SEEN, MOST, 40)


def test_a_guards_verdict_bears_its_name_and_nothing_else_of_it_changes():
    named = of_everything(a_judge)

    assert named.__name__ == "a_judge"
    assert named(a_case()) == named(an_exit_case()) == Verdict("a_judge", False, "no", SEEN, MOST, 40)


def test_a_guard_of_entries_lets_exits_pass_unasked():
    named = of_entries(a_judge)

    assert named.__name__ == "a_judge"
    assert named(a_case()) == Verdict("a_judge", False, "no", SEEN, MOST, 40)
    assert named(an_exit_case()) == Verdict("a_judge", True, "", {"kind": "exit"}, {"kind": "entry"})
