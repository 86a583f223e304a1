"""Our wallets as the settings name them: the accounts of a first start, each with the file of its signer's key."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.common.config_file import ConfigError, read_config
from services.common.domain.account import Account
from services.common.polymarket.eip712 import checksum_address
from services.common.ports.stores import Accounts
from services.common.settings import AccountSettings, Check
from services.common.signing.key_file import KeyFileRejected, KeyFileSigner

EOA, DEPOSIT_WALLET = 0, 3


class WalletRejected(Exception):
    """A wallet cannot be used; `problems` has one line for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account as it is first stored, and who signs for it."""

    account: Account
    signer: KeyFileSigner


def wallets(settings: AccountSettings, chain_id: int) -> tuple[Wallet, ...]:
    """The wallets of the configuration file, or the one of PROXY_WALLET. Raises `ConfigError` and `WalletRejected`."""
    problems: list[str] = []
    found: list[Wallet] = []
    for account, key_file in _named(settings):
        try:
            found.append(held(account, KeyFileSigner.read(key_file, chain_id, account.wallet)))
        except (KeyFileRejected, WalletRejected) as error:
            problems.append(str(error))
    if problems:
        raise WalletRejected(problems)
    return tuple(found)


async def import_first(accounts: Accounts, wanted: Sequence[Wallet]) -> int:
    """Store the accounts that are not stored yet; how many were new. Afterwards the database is the truth."""
    return sum([await accounts.create(wallet.account) for wallet in wanted])


def wallet_problems(settings: AccountSettings) -> Sequence[str]:
    """What keeps the wallets from being used, on whatever chain."""
    if settings.polycopy_config is None and not (settings.proxy_wallet and settings.private_key_file):
        return ["POLYCOPY_CONFIG, or PROXY_WALLET and PRIVATE_KEY_FILE: one of them is required"]
    source = "POLYCOPY_CONFIG" if settings.polycopy_config else "PRIVATE_KEY_FILE"
    try:
        wallets(settings, chain_id=0)
    except (ConfigError, WalletRejected) as error:
        return [f"{source}: {problem}" for problem in error.problems]
    return ()


WALLETS = Check(AccountSettings, wallet_problems)


def config_hash(settings: AccountSettings) -> str:
    """Names the configuration file's content; empty without one."""
    path = settings.polycopy_config
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path is not None else ""


def _named(settings: AccountSettings) -> list[tuple[Account, Path]]:
    if settings.polycopy_config is not None:
        return [(table.account(), table.key_file) for table in read_config(settings.polycopy_config).accounts]
    if settings.proxy_wallet is None or settings.private_key_file is None:
        return []
    wallet = settings.proxy_wallet
    return [(Account(wallet.lower(), wallet, wallet, EOA, wallet.lower()), settings.private_key_file)]


def held(account: Account, signer: KeyFileSigner) -> Wallet:
    """The wallet as its orders name it: a deposit wallet signs them itself, by its owner's key; of the others the owner signs."""
    key, wallet = signer.address, checksum_address(account.wallet)
    if account.signature_type == EOA and wallet != key:
        raise WalletRejected([f"{account.wallet}: its key file holds the key of {key}"])
    if account.signature_type != EOA and wallet == key:
        raise WalletRejected(
            [
                f"{account.wallet}: signature_type {account.signature_type} is of a contract wallet, and this is its key's own address"
            ]
        )
    signs = wallet if account.signature_type == DEPOSIT_WALLET else key
    if account.signer.lower() not in {signs.lower(), wallet.lower(), key.lower()}:
        raise WalletRejected(
            [f"{account.wallet}: its key file holds the key of {key}, and signer names {account.signer}"]
        )
    # People log in with keys, so a contract wallet that names no owner is its key's.
    owner = key.lower() if account.owner == account.wallet.lower() else account.owner
    return Wallet(replace(account, wallet=wallet, signer=signs, owner=owner), signer)
