"""One spelling of a value, wherever it came from: what was written hashes as what is read back."""

from http import HTTPStatus

import pytest
from bson.int64 import Int64

from services.common.domain.canonical import canonical, digest


@pytest.mark.parametrize("value", [0, 7, 2**53 - 1, 2**53, -(2**53), 2**60])
def test_an_integer_that_the_database_gives_back_hashes_as_the_one_that_it_was_given(value: int):
    assert digest({"amount": Int64(value)}) == digest({"amount": value})


def test_a_number_is_a_number_by_whatever_name():
    assert canonical([HTTPStatus.OK, True, 2**53]) == b'[200,true,"9007199254740992"]'


@pytest.mark.parametrize("value", [1.5, b"x", object()])
def test_what_has_no_exact_spelling_is_refused(value: object):
    with pytest.raises(TypeError, match="no canonical form"):
        canonical([value])
