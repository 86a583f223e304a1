"""Pages of Gamma's lists: a hundred rows at most, whatever is asked for."""

import pytest

from services.venue.data.query import Arguments
from services.venue.gamma.answers import keyset, offset

MANY = list(range(250))


@pytest.mark.parametrize(("limit", "most"), [("100000", 100), ("101", 100), ("100", 100), ("30", 30), ("", 20)])
def test_a_page_has_as_many_rows_as_are_asked_for_and_a_hundred_at_most(limit, most):
    asked = {"limit": limit} if limit else {}
    first = keyset("markets", MANY, Arguments(asked), lambda one: {"id": one})
    second = keyset("markets", MANY, Arguments(asked | {"after_cursor": first["next_cursor"]}), lambda one: {"id": one})
    old = offset(MANY, Arguments(asked | {"offset": "7"}), lambda one: {"id": one})

    assert [one["id"] for one in (*first["markets"], *second["markets"])] == MANY[: 2 * most]
    assert [one["id"] for one in old] == MANY[7 : 7 + most]
