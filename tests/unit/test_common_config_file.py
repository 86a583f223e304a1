"""The file of accounts: what it makes, and what it refuses to make twice."""

from pathlib import Path

import pytest

from services.common.config_file import ConfigError, read_config, read_policy
from services.common.domain.follow import FollowState, follow_id
from tests.builders import NOON

WALLET, OTHER, LEADER = "0x" + "A" * 40, "0x" + "b" * 40, "0x" + "C" * 40
ACCOUNT = '[[accounts]]\nwallet = "{}"\n'
FOLLOW = '[[accounts.follows]]\nleader = "{}"\nratio_bps = {}\n'


def read(folder: Path, text: str):
    file = folder / "accounts.toml"
    file.write_text(text)
    return read_config(file).accounts


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return caught.value.problems


def test_a_wallet_signs_for_itself_and_belongs_to_its_signer_unless_others_are_named(tmp_path: Path):
    (plain,) = read(tmp_path, ACCOUNT.format(WALLET))
    (named,) = read(tmp_path, ACCOUNT.format(WALLET) + f'signer = "{OTHER}"\nowner = "{LEADER}"\nsignature_type = 2\n')

    made = plain.account()
    assert (made.account_id, made.wallet, made.signer, made.owner) == (WALLET.lower(), WALLET, WALLET, WALLET.lower())
    made = named.account()
    assert (made.signer, made.owner, made.signature_type) == (OTHER, LEADER.lower(), 2)


def test_follows_are_made_now_so_that_older_trades_are_not_copied(tmp_path: Path):
    (account,) = read(tmp_path, ACCOUNT.format(WALLET) + FOLLOW.format(LEADER, 500))

    (follow,) = account.followed(NOON)
    assert (follow.leader, follow.created_at, follow.state) == (LEADER.lower(), NOON, FollowState.ACTIVE)
    assert (follow.follow_id, follow.policy.ratio_bps) == (follow_id(WALLET.lower(), LEADER), 500)


def test_a_leader_who_is_followed_twice_is_refused_in_any_case_of_letters(tmp_path: Path):
    twice = FOLLOW.format(LEADER, 500) + FOLLOW.format(LEADER.lower(), 900)

    assert problems(tmp_path, ACCOUNT.format(WALLET) + twice) == [
        f"accounts[0]: leader {LEADER.lower()} is named more than once"
    ]


def test_two_accounts_may_follow_one_leader_but_not_be_one_wallet(tmp_path: Path):
    one, two = ACCOUNT.format(WALLET) + FOLLOW.format(LEADER, 1), ACCOUNT.format(OTHER) + FOLLOW.format(LEADER, 1)
    assert len(read(tmp_path, one + two)) == 2

    assert problems(tmp_path, one + ACCOUNT.format(WALLET.lower())) == [
        f"accounts: wallet {WALLET.lower()} is named more than once"
    ]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "accounts"),
        ("accounts = []", "accounts"),
        (ACCOUNT.format("0x12"), "accounts[0].wallet"),
        (ACCOUNT.format(WALLET) + "signature_type = 4", "accounts[0].signature_type"),
        (ACCOUNT.format(WALLET) + 'private_key = "0x1"', "accounts[0].private_key"),
        (ACCOUNT.format(WALLET) + FOLLOW.format(LEADER[:-1], 1), "accounts[0].follows[0].leader"),
        (f'[[accounts]]\nwallet = "{WALLET}"\nkey_file = "key"', "accounts[0].key_file"),
    ],
)
def test_what_cannot_be_an_account_is_refused_by_its_path(tmp_path: Path, text: str, path: str):
    (problem,) = problems(tmp_path, text)

    assert problem.startswith(f"{path}: ")


@pytest.mark.parametrize(("window_ms", "grouping"), [(29_999, "token"), (60_000, "none")])
def test_a_group_is_waited_for_for_less_time_than_a_trade_may_be_old(
    tmp_path: Path, window_ms: int, grouping: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(f'[policy]\ngrouping = "{grouping}"\ngroup_window_ms = {window_ms}\n')

    assert read_policy(file).policy.policy().group_window_ms == window_ms


def test_a_group_that_outlasts_its_trades_is_refused_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[policy]\ngrouping = "order"\ngroup_window_ms = 30000\n')

    with pytest.raises(ConfigError) as caught:
        read_policy(file)

    assert caught.value.problems == [
        "policy.group_window_ms: expected less than limits.max_trade_age_ms, which is 30000"
    ]
