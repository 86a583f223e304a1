"""What the comparison of a recorded answer with the venue's own does not let pass."""

from tests.venue_shapes import differences


def test_a_list_without_rows_is_not_the_shape_of_one_that_has_them():
    recorded = {"pages": [{"rows": [1]}], "none": []}

    assert list(differences(recorded, {"pages": [], "none": [{}]})) == ["-pages[]"]
    assert list(differences(recorded, {"pages": [{"rows": []}], "none": []})) == ["-pages[].rows[]"]
    assert list(differences([1], [])) == ["-[]"]
    assert list(differences(recorded, recorded)) == []
