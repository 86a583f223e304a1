"""What a person reads when a command cannot do its work, and what each command's help says."""

from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from services.cli.child import free_port
from tests.polycopy_process import said

COMMANDS = ("demo", "up", "replay", "status", "explain", "close", "unfollow", "sign")


def test_help_names_every_command():
    code, told, errors = said("--help")

    assert (code, errors) == (0, "")
    assert [command for command in COMMANDS if f"│ {command} " not in told] == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("demo", ("--json", "--seed", "--trades", "--keep", "--folder")),
        ("up", ("--seed", "--folder", "--script", "--free-ports")),
        ("replay", ("--policy", "--json", "--delay-ms")),
        ("status", ("--target", "ENGINE_TARGET", "127.0.0.1:50052")),
        ("explain", ("copy_id", "--target")),
        ("close", ("assets", "--request-id", "--account", "--target")),
        ("unfollow", ("leader", "--close", "--keep", "--account", "MONITOR_TARGET", "127.0.0.1:50051")),
        ("sign", ("key_file",)),
    ],
    ids=COMMANDS,
)
def test_help_of_a_command_names_its_options(command: str, words: tuple[str, ...]):
    code, told, errors = said(command, "--help")

    assert (code, errors) == (0, "")
    assert [word for word in words if word not in told] == []


def test_unfollowing_asks_what_becomes_of_what_is_held():
    code, told, errors = said("unfollow", "0x" + "1" * 40)

    assert (code, told) == (2, "")
    assert errors == "unfollow: say --close or --keep: what the follow holds is sold, or stays\n"


@pytest.mark.parametrize(
    "command", [("status",), ("explain", "a-copy"), ("close", "7")], ids=["status", "explain", "close"]
)
def test_an_engine_that_is_away_is_one_line_and_exit_2(command: tuple[str, ...]):
    target = f"127.0.0.1:{free_port()}"

    code, told, errors = said(*command, "--target", target)

    assert (code, told) == (2, "")
    assert errors == f"no engine answers at {target}; `polycopy up` starts one\n"


def test_a_message_is_signed_with_the_key_of_a_file(tmp_path: Path):
    wallet, key_file = Account.create(), tmp_path / "wallet.key"
    key_file.touch(mode=0o600)
    key_file.write_text("0x" + bytes(wallet.key).hex())
    message = "log in\n\nnonce: 1"

    code, told, errors = said("sign", key_file, given=message)

    assert (code, errors) == (0, "")
    assert Account.recover_message(encode_defunct(text=message), signature=told.strip()) == wallet.address


def test_a_key_that_others_can_read_is_refused(tmp_path: Path):
    key_file = tmp_path / "wallet.key"
    key_file.write_text("0x" + "1" * 64)
    key_file.chmod(0o644)

    code, told, errors = said("sign", key_file, given="log in")

    assert (code, told) == (2, "")
    assert str(key_file) in errors
    assert len(errors.splitlines()) == 1
    assert "1" * 64 not in errors
