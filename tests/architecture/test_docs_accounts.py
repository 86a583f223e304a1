"""docs/accounts.md is true: its example is a configuration file, and its tables are every name with its default."""

import re
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from services.common.config_file import PolicyTable, limits, read_config, read_table
from services.common.domain.account import Limits
from services.signer.config import SignerFile, WalletTable

PAGE = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text()


EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def defaults(heading: str) -> dict[str, object]:
    """The table below a heading, read as TOML."""
    text = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE)
    assert rows
    return tomllib.loads("\n".join(f"{name} = {value}" for name, value in rows), parse_float=Decimal)


def test_the_example_is_a_configuration_file(tmp_path: Path) -> None:
    example, _ = EXAMPLES
    file = tmp_path / "accounts.toml"
    file.write_text(example)

    (account,) = read_config(file).accounts

    assert account.account().limits.max_order_micros == 100_000_000
    assert [str(follow.policy.mode) for follow in account.followed(datetime(2026, 1, 1, tzinfo=UTC))] == [
        "ratio",
        "tiered",
    ]


def test_the_signers_example_is_a_file_of_wallets_with_a_key_of_each_kind(tmp_path: Path) -> None:
    file = tmp_path / "signer.toml"
    file.write_text(EXAMPLES[1])

    tables = read_table(SignerFile, file).wallets

    assert [(bool(one.key_file), bool(one.keystore_file), bool(one.kms_key)) for one in tables] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert tables[1].max_order_usdc == 100


def test_everything_that_the_signer_bounds_is_there_with_its_default() -> None:
    places = {"wallet", "key_file", "keystore_file", "passphrase_file", "kms_key"}
    given = defaults("What the signer holds")

    assert set(given) == set(WalletTable.model_fields) - places
    assert all(WalletTable.model_fields[name].default == value for name, value in given.items())


def test_every_name_of_a_policy_is_there_with_its_default() -> None:
    assert set(defaults("A policy")) == set(PolicyTable.model_fields)
    assert PolicyTable.model_validate(defaults("A policy")) == PolicyTable()


def test_every_limit_is_there_with_its_default() -> None:
    nothing = Limits(**dict.fromkeys(Limits.__dataclass_fields__, 0) | {"max_price_micros": 1, "intent_lifetime_ms": 1})

    assert limits(defaults("Limits"), nothing) == Limits()
