"""The TOML file of accounts, follows and limits; also the policy file of `replay`.

Amounts are written in USDC (`"250"` or `250.5`), parts in basis points, times in seconds. Unknown names are refused.
"""

import tomllib
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.common.domain.account import Account, Limits
from services.common.domain.follow import Follow, FollowState, Policy, SizingMode, Tier, follow_id
from services.common.domain.money import micros
from services.common.settings import Address

Usdc = Annotated[
    Decimal, BeforeValidator(lambda value: Decimal(str(value))), Field(ge=0, max_digits=18, decimal_places=6)
]
Bps = Annotated[int, Field(ge=0, le=1_000_000)]


class ConfigError(Exception):
    """The file cannot be used; `problems` has one line for each thing wrong, with its path in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TierTable(_Strict):
    """From this much of the leader's notional on, this ratio."""

    from_usdc: Usdc
    ratio_bps: Bps


class PolicyTable(_Strict):
    """How a leader is copied."""

    mode: SizingMode = SizingMode.RATIO
    ratio_bps: Bps = 1_000
    fixed_usdc: Usdc = Decimal(0)
    bankroll_usdc: Usdc = Decimal(0)
    leader_bankroll_usdc: Usdc = Decimal(0)
    tiers: tuple[TierTable, ...] = ()
    max_trade_usdc: Usdc = Decimal(250)
    max_market_usdc: Usdc = Decimal(1_000)
    max_day_usdc: Usdc = Decimal(1_000)
    raise_to_minimum: bool = False
    slippage_bps: Annotated[int, Field(ge=0, le=5_000)] = 300
    exit_slippage_bps: Annotated[int, Field(ge=0, le=9_900)] = 500
    exit_floor_bps: Annotated[int, Field(ge=0, le=9_900)] = 5_000
    denied_markets: tuple[str, ...] = ()

    def policy(self) -> Policy:
        """The policy in exact units."""
        given = self.model_dump(include=set(PolicyTable.model_fields) - {"tiers"})
        amounts = {
            name.replace("_usdc", "_micros"): micros(value) for name, value in given.items() if name.endswith("_usdc")
        }
        rest = {name: value for name, value in given.items() if not name.endswith("_usdc")}
        return Policy(
            **amounts, **rest, tiers=tuple(Tier(micros(tier.from_usdc), tier.ratio_bps) for tier in self.tiers)
        )


def _limit_names() -> dict[str, str]:
    """Each limit's name in the file (money without its unit: `max_order_usdc`, `max_price`) and its field."""
    names: dict[str, str] = {}
    for name in (field.name for field in fields(Limits)):
        plain = name.removesuffix("_micros")
        in_usdc = name.endswith("_micros") and not name.endswith(("_price_micros", "_shares_micros"))
        names[f"{plain}_usdc" if in_usdc else plain] = name
    return names


def limits(table: dict[str, Any], base: Limits | None = None) -> Limits:
    """`base` (the defaults) with the table's figures: `max_order_usdc = 250`, `max_price = "0.98"`, `max_in_flight_market = 10`."""
    known = _limit_names()
    wrong = [f"limits.{name}: not a limit" for name in table if name not in known]
    if wrong:
        raise ConfigError(wrong)
    return replace(
        base or Limits(), **{known[name]: _figure(name, known[name], value) for name, value in table.items()}
    )


def _figure(name: str, field: str, value: Any) -> int:
    try:
        number = micros(Decimal(str(value))) if field.endswith("_micros") else int(value)
    except (ArithmeticError, ValueError) as error:
        raise ConfigError([f"limits.{name}: expected a number with at most six decimals"]) from error
    if number < 0:
        raise ConfigError([f"limits.{name}: expected 0 or more"])
    return number


class FollowTable(PolicyTable):
    """One leader and how he is copied."""

    leader: Address


class AccountTable(_Strict):
    """One wallet of ours; its key is a file, never written here."""

    wallet: Address
    key_file: Path
    owner: Address | None = None
    signer: Address | None = None
    signature_type: Annotated[int, Field(ge=0, le=3)] = 0
    limits: dict[str, Any] = Field(default_factory=dict)
    follows: tuple[FollowTable, ...] = ()

    @property
    def account_id(self) -> str:
        return self.wallet.lower()

    def account(self) -> Account:
        """The account as it is first stored; the wallet signs for itself unless a signer is named."""
        return Account(
            account_id=self.account_id,
            wallet=self.wallet,
            signer=self.signer or self.wallet,
            signature_type=self.signature_type,
            owner=(self.owner or self.signer or self.wallet).lower(),
            limits=limits(self.limits),
        )

    def followed(self, now: datetime) -> tuple[Follow, ...]:
        """Its follows, made now: what leaders traded before is not copied."""
        return tuple(
            Follow(
                follow_id(self.account_id, table.leader),
                self.account_id,
                table.leader.lower(),
                table.policy(),
                1,
                FollowState.ACTIVE,
                now,
            )
            for table in self.follows
        )


class ConfigFile(_Strict):
    """The whole file."""

    accounts: tuple[AccountTable, ...] = Field(min_length=1)


class PolicyFile(_Strict):
    """The file that `replay --policy` takes: one policy and the account's limits."""

    policy: PolicyTable = PolicyTable()
    limits: dict[str, Any] = Field(default_factory=dict)
    cash_usdc: Usdc = Decimal(10_000)


def read_config(path: Path) -> ConfigFile:
    """The file of accounts; raises `ConfigError` with every problem and its path in the file."""
    return _checked(ConfigFile, _toml(path))


def read_policy(path: Path) -> PolicyFile:
    """The policy file; raises `ConfigError` with every problem and its path in the file."""
    return _checked(PolicyFile, _toml(path))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _checked(model: type[Any], table: dict[str, Any]) -> Any:
    try:
        made = model.model_validate(table)
    except ValidationError as error:
        raise ConfigError(
            [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        ) from error
    for part in getattr(made, "accounts", (made,)):
        limits(part.limits)
    return made
