"""A wallet for paper trading: its key, and the configuration that lets it copy the local venue's leaders."""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.signing.key_file import KeyFileSigner

CHAIN_ID = 137

POLICY = """\
mode = "ratio"
ratio_bps = 10000
max_trade_usdc = 250
max_market_usdc = 2000
max_day_usdc = 5000
slippage_bps = 300
exit_slippage_bps = 800
"""

LIMITS = """\
max_order_usdc = 250
max_market_usdc = 3000
max_event_usdc = 6000
max_leader_day_usdc = 10000
max_daily_spend_usdc = 20000
max_exposure_bps = 9000
max_fee_bps = 500
"""


SIGNED = {"max_order_usdc": 250, "max_orders_per_second": 50, "max_orders_per_minute": 1_200}


@dataclass(frozen=True, slots=True)
class PaperWallet:
    """A wallet whose key comes from a seed: worth nothing anywhere but at the local venue."""

    address: str
    key_file: Path

    @classmethod
    def of_seed(cls, seed: int, folder: Path) -> "PaperWallet":
        """Write the key of this seed into `folder`, for its owner alone."""
        key = hashlib.sha256(f"polycopy paper wallet {seed}".encode()).digest()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"wallet-{seed}.key"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(key.hex())
        return cls(KeyFileSigner(key, CHAIN_ID).address, path)


def config(wallets: Sequence[PaperWallet], leaders: Sequence[str], limits: str = LIMITS) -> str:
    """A configuration file (TOML) in which every wallet follows every leader, share for share, within `limits`."""
    return "\n".join(_account(wallet, leaders, limits) for wallet in wallets)


def signing(wallets: Sequence[PaperWallet], limits: str = LIMITS) -> str:
    """The signer's own file (TOML): where each wallet's key is, and that the signer allows it what its limits do."""
    given = tomllib.loads(limits)
    allowed = "".join(f"{name} = {max(given.get(name, 0), least)}\n" for name, least in SIGNED.items())
    return "\n".join(
        f'[[wallets]]\nwallet = "{wallet.address}"\nkey_file = "{wallet.key_file}"\n{allowed}' for wallet in wallets
    )


def _account(wallet: PaperWallet, leaders: Sequence[str], limits: str) -> str:
    follows = "".join(f'\n[[accounts.follows]]\nleader = "{leader}"\n{POLICY}' for leader in leaders)
    head = f'[[accounts]]\nwallet = "{wallet.address}"\n'
    return f"{head}\n[accounts.limits]\n{limits}{follows}"
