"""How a debt ends with its exit."""

import pytest

from services.common.domain.copy import CopyKind
from services.common.domain.lifecycle import CopyState
from services.engine.debt_ends import ending
from tests.builders import a_copy

S = CopyState
SETTLED = a_copy(2, kind=CopyKind.EXIT, state=S.RECONCILED, filled_micros=1)
UNDONE = a_copy(3, kind=CopyKind.EXIT, state=S.FAILED)


@pytest.mark.parametrize(
    ("state", "attempts", "expected"),
    [
        (S.DETECTED, [SETTLED], (S.SKIPPED, "sizing")),
        (S.EXECUTING, [UNDONE], (S.FAILED, "below_minimum")),
        (S.EXECUTED, [UNDONE], (S.FAILED, "settlement_failed")),
        (S.EXECUTED, [SETTLED, UNDONE], (S.RECONCILED, "")),
        (S.RECONCILED, [SETTLED], None),
        (S.SKIPPED, [], None),
        (S.FAILED, [UNDONE], None),
    ],
)
def test_a_debt_ends_by_what_became_of_the_attempts(state, attempts, expected):
    debt = a_copy(1, kind=CopyKind.DEBT, state=state, member_of=UNDONE.copy_id)

    assert ending(debt, attempts, "below_minimum", "sizing") == expected
