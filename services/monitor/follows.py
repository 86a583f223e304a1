"""The first follows: what the settings name is stored once; afterwards the database is the truth."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.common.config_file import ConfigError, read_config
from services.common.domain.changes import made
from services.common.domain.follow import Follow, FollowState, Policy, follow_id
from services.common.ports.accounts import Follows
from services.common.settings import AccountSettings, Check, addresses


def named(settings: AccountSettings, now: datetime) -> tuple[Follow, ...]:
    """The follows of the configuration file, or of USER_ADDRESSES by the one wallet. Raises `ConfigError`."""
    if settings.polycopy_config is not None:
        tables = read_config(settings.polycopy_config).accounts
        return tuple(follow for table in tables for follow in table.followed(now))
    if settings.proxy_wallet is None:
        return ()
    account = settings.proxy_wallet.lower()
    return tuple(
        Follow(follow_id(account, leader), account, leader, Policy(), 1, FollowState.ACTIVE, now)
        for leader in addresses(settings.user_addresses)
    )


def follow_problems(settings: AccountSettings) -> Sequence[str]:
    """What keeps the follows from being read."""
    if settings.user_addresses and not (settings.proxy_wallet or settings.polycopy_config):
        return ["PROXY_WALLET: required with USER_ADDRESSES"]
    try:
        named(settings, datetime.min.replace(tzinfo=UTC))
    except ConfigError as error:
        return [f"POLYCOPY_CONFIG: {problem}" for problem in error.problems]
    return ()


FOLLOWS = Check(AccountSettings, follow_problems)


async def import_first(follows: Follows, wanted: Sequence[Follow]) -> int:
    """Store what is not stored yet; how many were new."""
    return sum([await follows.create(made(follow, "config")) for follow in wanted])
