"""The TOML file of accounts, follows and limits; also the policy file of `replay`.

Amounts are written in USDC (`"250"` or `250.5`), parts in basis points, times in milliseconds. Unknown names are refused.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from services.common.domain.account import Account, Limits
from services.common.domain.follow import Follow, FollowState, Grouping, Policy, SizingMode, Tier, follow_id
from services.common.domain.money import micros
from services.common.limits_table import NotLimits, number, read_limits
from services.common.settings import Address

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T", bound="HasWallet")

Usdc = Annotated[Decimal, BeforeValidator(number), Field(ge=0, max_digits=18, decimal_places=6)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[a-z0-9][a-z0-9-]*$")]
"""A subject as the venue's addresses spell it: `us-politics`."""
Bps = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class ConfigError(Exception):
    """The file cannot be used; `problems` has one line for each thing wrong, with its path in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class HasWallet(Protocol):
    """A table of one wallet."""

    @property
    def wallet(self) -> str: ...


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
    slippage_bps: Annotated[int, Field(strict=True, ge=0, le=5_000)] = 300
    exit_slippage_bps: Annotated[int, Field(strict=True, ge=0, le=9_900)] = 500
    exit_floor_bps: Annotated[int, Field(strict=True, ge=0, le=9_900)] = 5_000
    denied_markets: tuple[str, ...] = ()
    denied_tags: tuple[Tag, ...] = ()
    grouping: Grouping = Grouping.NONE
    group_window_ms: Annotated[int, Field(strict=True, ge=100, le=60_000)] = 5_000
    take_profit_bps: Bps = 0
    stop_loss_bps: Annotated[int, Field(strict=True, ge=0, le=9_999)] = 0
    max_holding_ms: Annotated[int, Field(strict=True, ge=0, le=10 * 366 * 86_400_000)] = 0

    @model_validator(mode="after")
    def _has_its_figures(self) -> "PolicyTable":
        needed: dict[SizingMode, dict[str, object]] = {
            SizingMode.FIXED: {"fixed_usdc": self.fixed_usdc},
            SizingMode.RATIO: {"ratio_bps": self.ratio_bps},
            SizingMode.PROPORTIONAL: {
                "bankroll_usdc": self.bankroll_usdc,
                "leader_bankroll_usdc": self.leader_bankroll_usdc,
            },
            SizingMode.TIERED: {"tiers": self.tiers},
        }
        if lacking := [name for name, figure in needed[self.mode].items() if not figure]:
            raise ValueError(f"mode {self.mode} needs {' and '.join(lacking)}")
        return self

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


def limits(table: dict[str, Any], base: Limits | None = None) -> Limits:
    """`base` (the defaults) with the table's figures: `max_order_usdc = 250`, `max_price = "0.98"`, `max_in_flight_market = 10`."""
    try:
        return read_limits(table, base or Limits())
    except NotLimits as error:
        raise ConfigError([f"limits.{problem}" for problem in error.problems]) from error


def _once(what: str, addresses: Sequence[str]) -> None:
    counted = Counter(address.lower() for address in addresses)
    twice = [address for address, times in counted.items() if times > 1]
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} is named more than once")


class FollowTable(PolicyTable):
    """One leader and how he is copied."""

    leader: Address


class AccountTable(_Strict):
    """One wallet of ours; its key is the signer's alone to know of."""

    wallet: Address
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

    @model_validator(mode="after")
    def _one_follow_of_each(self) -> "AccountTable":
        # A second policy for a leader would be ignored in silence.
        _once("leader", [table.leader for table in self.follows])
        return self

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


def apart(accounts: tuple[T, ...]) -> tuple[T, ...]:
    """At least one, and no wallet twice."""
    # Not a length of the field's own: that is also missed where an account is refused for something else.
    if not accounts:
        raise ValueError("expected at least one")
    _once("wallet", [table.wallet for table in accounts])
    return accounts


class ConfigFile(_Strict):
    """The whole file."""

    accounts: Annotated[tuple[AccountTable, ...], AfterValidator(apart)]


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


def read_table(model: type[M], path: Path) -> M:
    """Another file of the same kind; raises `ConfigError` with every problem and its path in the file."""
    made: M = _checked(model, _toml(path))
    return made


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(), parse_float=Decimal)
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: no TOML: {error}"]) from error


def _checked(model: type[Any], table: dict[str, Any]) -> Any:
    made, problems = None, list(_wrong_limits(table))
    try:
        made = model.model_validate(table)
    except ValidationError as error:
        problems = [*map(_problem, error.errors()), *problems]
    if problems or (problems := list(_too_long(made))):
        raise ConfigError(problems)
    return made


def _too_long(file: Any) -> Iterator[str]:
    """Windows of groups that outlast what a trade may be old: every trade of theirs would come too late."""
    if isinstance(file, PolicyFile):
        yield from _outlasting("policy", file.policy, limits(file.limits))
    for place, account in enumerate(file.accounts if isinstance(file, ConfigFile) else ()):
        for row, follow in enumerate(account.follows):
            yield from _outlasting(f"accounts[{place}].follows[{row}]", follow, limits(account.limits))


def _outlasting(path: str, policy: PolicyTable, limited: Limits) -> Iterator[str]:
    if policy.grouping is not Grouping.NONE and policy.group_window_ms >= limited.max_trade_age_ms:
        yield f"{path}.group_window_ms: expected less than limits.max_trade_age_ms, which is {limited.max_trade_age_ms}"


def _problem(item: Mapping[str, Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).removeprefix(".")
    if item["type"] == "extra_forbidden" and item["loc"][-1] == "key_file":
        return f"{path}: not a setting here; keys are named in SIGNER_CONFIG, which only the signer reads"
    said = "not a setting" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
    return f"{path}: {said}"


def _wrong_limits(table: dict[str, Any]) -> Iterator[str]:
    """What is wrong in the tables of limits, which the models leave to `limits`."""
    accounts = enumerate(cast("list[Any]", listed) if isinstance(listed := table.get("accounts"), list) else [])
    for path, part in (("", table), *((f"accounts[{place}].", part) for place, part in accounts)):
        given = cast("dict[str, Any]", part).get("limits") if isinstance(part, dict) else None
        try:
            limits(cast("dict[str, Any]", given) if isinstance(given, dict) else {})
        except ConfigError as error:
            yield from (path + problem for problem in error.problems)
