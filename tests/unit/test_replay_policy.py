"""The policy file of a replay: what it takes, and everything that it refuses, by its path in the file."""

from pathlib import Path

import pytest

from services.common.config_file import ConfigError, limits, read_config, read_policy
from services.common.domain.account import Limits
from services.common.domain.follow import SizingMode
from services.common.limits_table import MOST

EXAMPLE = Path(__file__).parents[2] / "examples" / "replay_policy.toml"


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_policy(file)
    return [problem.replace(str(tmp_path), "") for problem in caught.value.problems]


def test_the_example_copies_at_the_leaders_size_with_every_cap_raised():
    file = read_policy(EXAMPLE)
    policy, raised, default = file.policy.policy(), limits(file.limits), Limits()

    assert (policy.mode, policy.ratio_bps, policy.raise_to_minimum) == (SizingMode.RATIO, 10_000, False)
    for name in file.limits:
        field = next(field for field in (f"{name.removesuffix('_usdc')}_micros", name) if hasattr(default, field))
        assert getattr(raised, field) > getattr(default, field), name


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('mode = "ratio"\nratio_bps = 2_500', {"ratio_bps": 2_500}),
        ('mode = "fixed"\nfixed_usdc = "7.5"', {"fixed_micros": 7_500_000}),
        (
            'mode = "proportional"\nbankroll_usdc = 500\nleader_bankroll_usdc = 20_000.5',
            {"bankroll_micros": 500_000_000, "leader_bankroll_micros": 20_000_500_000},
        ),
        ("max_trade_usdc = 0.000001\nraise_to_minimum = true", {"max_trade_micros": 1, "raise_to_minimum": True}),
    ],
)
def test_a_policy_is_read_exactly(tmp_path, table, expected):
    file = tmp_path / "policy.toml"
    file.write_text(f"[policy]\n{table}\n")
    policy = read_policy(file).policy.policy()

    assert {name: getattr(policy, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cash = 5", "cash: not a setting"),
        ("[policy]\nratio = 1", "policy.ratio: not a setting"),
        ("[limits]\nmax_order = 3", "limits.max_order: not a limit"),
        ("[policy]\nratio_bps = true", "policy.ratio_bps: Input should be a valid integer"),
        ("[policy]\nratio_bps = 10.5", "policy.ratio_bps: Input should be a valid integer"),
        ("[policy]\nratio_bps = -1", "policy.ratio_bps: Input should be greater than or equal to 0"),
        ("[policy]\nratio_bps = 0", "policy: mode ratio needs ratio_bps"),
        ('[policy]\nmode = "fixed"', "policy: mode fixed needs fixed_usdc"),
        (
            '[policy]\nmode = "proportional"',
            "policy: mode proportional needs bankroll_usdc and leader_bankroll_usdc",
        ),
        ('[policy]\nmode = "tiered"', "policy: mode tiered needs tiers"),
        ("[policy]\nmax_trade_usdc = [1]", "policy.max_trade_usdc: expected a number"),
        ("cash_usdc = nan", "cash_usdc: Input should be a finite number"),
        ("cash_usdc = -1", "cash_usdc: Input should be greater than or equal to 0"),
        ("cash_usdc = 0.0000001", "cash_usdc: Decimal input should have no more than 6 decimal places"),
        ("[limits]\nmax_order_usdc = inf", "limits.max_order_usdc: expected a number with at most six decimals"),
        ("[limits]\nmax_order_usdc = -1", "limits.max_order_usdc: must be above 0"),
        ("[limits]\nmax_repetitions = 1.5", "limits.max_repetitions: expected a whole number"),
        ("[limits]\nmax_repetitions = [1]", "limits.max_repetitions: expected a whole number"),
        ("[limits]\nmax_repetitions = true", "limits.max_repetitions: expected a whole number"),
        (f"[limits]\nmax_orders_per_minute = {MOST + 1}", "limits.max_orders_per_minute: too large"),
        (
            "[limits]\nmin_price = 0.9\nmax_price = 0.1",
            "limits.min_price, max_price: expected a band within 0 to 1",
        ),
        ("[limits]\nmax_price = 1.01", "limits.min_price, max_price: expected a band within 0 to 1"),
        (
            "[limits]\nsend_budget_ms = 20_000",
            "limits.send_budget_ms: expected less than intent_lifetime_ms",
        ),
        ("limits = 3", "limits: Input should be a valid dictionary"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_path_in_the_file(tmp_path, text, expected):
    found = problems(tmp_path, text)

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    found = problems(tmp_path, "a = 1\n[policy]\nb = 2\nmax_day_usdc = -1\n[limits]\nc = 3\nmax_order_usdc = 'x'\n")

    assert [problem.partition(":")[0] for problem in found] == [
        "policy.max_day_usdc",
        "policy.b",
        "a",
        "limits.c",
        "limits.max_order_usdc",
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: file.write_text("[policy"), "/policy.toml: no TOML: "),
        (lambda file: file.write_bytes(b"\xff\xfe\x00"), "/policy.toml: no TOML: "),
        (lambda file: file.mkdir(), "/policy.toml: Is a directory"),
        (lambda file: None, "/policy.toml: No such file or directory"),
    ],
    ids=["broken", "no text", "a folder", "absent"],
)
def test_a_file_that_is_no_toml_is_one_line(tmp_path, make, said):
    file = tmp_path / "policy.toml"
    make(file)

    with pytest.raises(ConfigError) as caught:
        read_policy(file)

    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].replace(str(tmp_path), "").startswith(said)


def test_limits_of_an_account_are_named_with_its_place(tmp_path):
    account = '[[accounts]]\nwallet = "0x{}"\n'
    file = tmp_path / "accounts.toml"
    file.write_text(account.format("a" * 40) + account.format("b" * 40) + "[accounts.limits]\nnope = 1\n")

    with pytest.raises(ConfigError) as caught:
        read_config(file)

    assert caught.value.problems == ["accounts[1].limits.nope: not a limit"]
