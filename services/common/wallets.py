"""Our wallets as the settings name them: the accounts of a first start. Their keys are the signer's."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.config_file import ConfigError, read_config
from services.common.domain import control
from services.common.domain.account import Account
from services.common.polymarket.eip712 import checksum_address
from services.common.ports.accounts import Accounts
from services.common.settings import AccountSettings, Check

EOA, DEPOSIT_WALLET = 0, 3


class WalletRejected(Exception):
    """A wallet cannot be used; `problems` has one line for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account as it is first stored, and the address of the key that signs for it."""

    account: Account
    key: str


def wallets(settings: AccountSettings) -> tuple[Wallet, ...]:
    """The wallets of the configuration file, or the one of PROXY_WALLET. Raises `ConfigError` and `WalletRejected`."""
    problems: list[str] = []
    found: list[Wallet] = []
    for account in _named(settings):
        try:
            found.append(held(account, account.signer))
        except WalletRejected as error:
            problems += error.problems
    if problems:
        raise WalletRejected(problems)
    return tuple(found)


async def import_first(accounts: Accounts, wanted: Sequence[Wallet], now: datetime) -> int:
    """Store the accounts that are not stored yet; how many were new. Afterwards the database is the truth."""
    return sum([await accounts.create(control.created(wallet.account, "config", now)) for wallet in wanted])


def wallet_problems(settings: AccountSettings) -> Sequence[str]:
    """What keeps the wallets from being used."""
    if settings.polycopy_config is None and settings.proxy_wallet is None:
        return ["POLYCOPY_CONFIG or PROXY_WALLET: one of them is required"]
    source = "POLYCOPY_CONFIG" if settings.polycopy_config else "PROXY_WALLET"
    try:
        wallets(settings)
    except (ConfigError, WalletRejected) as error:
        return [f"{source}: {problem}" for problem in error.problems]
    return ()


WALLETS = Check(AccountSettings, wallet_problems)


def config_hash(settings: AccountSettings) -> str:
    """Names the configuration file's content; empty without one."""
    path = settings.polycopy_config
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path is not None else ""


def _named(settings: AccountSettings) -> list[Account]:
    if settings.polycopy_config is not None:
        return [table.account() for table in read_config(settings.polycopy_config).accounts]
    if settings.proxy_wallet is None:
        return []
    wallet = settings.proxy_wallet
    return [Account(wallet.lower(), wallet, wallet, EOA, wallet.lower())]


def held(account: Account, key: str) -> Wallet:
    """The wallet as its orders name it, by its key's address: a deposit wallet signs them itself, of the others the key does."""
    key, wallet = checksum_address(key), checksum_address(account.wallet)
    if account.signature_type == EOA and wallet != key:
        raise WalletRejected([f"{account.wallet}: signs for itself, and signer names {key}"])
    if account.signature_type != EOA and wallet == key:
        raise WalletRejected(
            [f"{account.wallet}: signature_type {account.signature_type} needs signer, the address of its owner's key"]
        )
    signs = wallet if account.signature_type == DEPOSIT_WALLET else key
    # People log in with keys, so a contract wallet that names no owner is its key's.
    owner = key.lower() if account.owner == account.wallet.lower() else account.owner
    return Wallet(replace(account, wallet=wallet, signer=signs, owner=owner), key)
