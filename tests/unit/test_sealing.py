"""A stored signature opens with a key of the file, for the copy and the order that it is of, and is nothing otherwise."""

from pathlib import Path

import pytest
import structlog

from services.common.sealing import SETTING, KeyRing, SealKeyRejected, add_key

OLD, NEW = bytes([1]) * 32, bytes([2]) * 32
SIGNATURE = "0x" + "ab" * 65
ORDER = "0x" + "5" * 64


def test_what_was_sealed_opens_again_and_shows_nothing_meanwhile():
    ring = KeyRing([OLD])

    sealed = ring.sealed("copy", ORDER, SIGNATURE)

    assert ring.opened("copy", ORDER, sealed) == SIGNATURE
    assert "abab" not in sealed
    assert sealed != ring.sealed("copy", ORDER, SIGNATURE)
    assert (OLD.hex() in repr(ring)) is False


@pytest.mark.parametrize(("copy", "order"), [("another", ORDER), ("copy", "0x" + "6" * 64)])
def test_it_opens_for_no_other_copy_and_no_other_order(copy, order):
    ring = KeyRing([OLD])
    sealed = ring.sealed("copy", ORDER, SIGNATURE)

    with structlog.testing.capture_logs() as said:
        assert not ring.opened(copy, order, sealed)

    assert [(one["event"], one["copy"], one["order"]) for one in said] == [("signature_unreadable", copy, order)]


def test_a_new_key_seals_and_an_old_one_still_opens():
    sealed = KeyRing([OLD]).sealed("copy", ORDER, SIGNATURE)
    both = KeyRing([NEW, OLD])

    assert both.opened("copy", ORDER, sealed) == SIGNATURE
    assert KeyRing([NEW]).opened("copy", ORDER, both.sealed("copy", ORDER, SIGNATURE)) == SIGNATURE


@pytest.mark.parametrize(
    ("sealed", "why"),
    [
        (KeyRing([OLD]).sealed("copy", ORDER, SIGNATURE), "no key of this id"),
        (SIGNATURE, "not sealed"),
        ("s1." + repr(KeyRing([NEW]))[8:-1] + ".AAAA", "changed, or another order's"),
        ("s1." + repr(KeyRing([NEW]))[8:-1] + ".???", "changed, or another order's"),
        ("s1.", "no key of this id"),
    ],
    ids=["another key's", "bare", "cut", "no base64", "nothing but its form"],
)
def test_what_cannot_be_opened_is_no_signature_and_the_setting_is_named(sealed, why):
    with structlog.testing.capture_logs() as said:
        assert not KeyRing([NEW]).opened("copy", ORDER, sealed)

    assert [(one["why"], one["setting"], one["log_level"]) for one in said] == [(why, SETTING, "error")]
    assert SIGNATURE not in str(said)


def test_where_none_was_stored_nothing_is_said():
    with structlog.testing.capture_logs() as said:
        assert not KeyRing([NEW]).opened("copy", ORDER, "")

    assert said == []


def test_a_key_that_is_added_goes_before_those_that_are_there(tmp_path: Path):
    file = tmp_path / "seal.key"
    add_key(file)
    sealed = KeyRing.read(file).sealed("copy", ORDER, SIGNATURE)

    newest = add_key(file)

    assert KeyRing.read(file).opened("copy", ORDER, sealed) == SIGNATURE
    assert KeyRing.read(file).sealed("copy", ORDER, SIGNATURE).split(".")[1] == newest
    assert [path.name for path in tmp_path.iterdir()] == ["seal.key"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("ab" * 32, 0o640, "others may read it; chmod 600 it"),
        ("ab" * 31, 0o600, "expected keys of 64 hex digits, one a line"),
        ("ab" * 32 + "\nno key", 0o600, "expected keys of 64 hex digits, one a line"),
        ("", 0o600, "expected keys of 64 hex digits, one a line"),
    ],
)
def test_a_file_that_is_no_file_of_keys_says_what_it_should_be(tmp_path: Path, text: str, mode: int, says: str):
    file = tmp_path / "seal.key"
    file.write_text(text)
    file.chmod(mode)

    with pytest.raises(SealKeyRejected) as refusal:
        KeyRing.read(file)
    with pytest.raises(SealKeyRejected):
        add_key(file)

    assert str(refusal.value) == f"{file}: {says}"
    assert file.read_text() == text


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SealKeyRejected, match=r"seal\.key: No such file"):
        KeyRing.read(tmp_path / "seal.key")
