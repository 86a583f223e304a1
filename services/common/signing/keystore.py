"""A key in an encrypted keystore file, version 3, whose passphrase is in a file of its own."""

import json
from pathlib import Path
from typing import Any, cast

from eth_account import Account

from services.common.signing.key import KeyRejected
from services.common.signing.key_file import read_secret

LEAST_N = 2**18
"""What scrypt has to cost: a keystore that is cheaper to guess is refused."""


def read_keystore(path: Path, passphrase_file: Path) -> bytes:
    """The 32 bytes of a keystore's private key. Takes about a second. Raises `KeyRejected`."""
    held = _checked(path)
    # One line break at the end is the editor's.
    passphrase = read_secret(passphrase_file).removesuffix("\n").removesuffix("\r")
    if not passphrase:
        raise KeyRejected(f"{passphrase_file}: holds no passphrase")
    try:
        return bytes(cast(Any, Account).decrypt(held, passphrase))
    except (ValueError, TypeError, KeyError) as error:
        # The library's own text may quote what it was given.
        raise KeyRejected(f"{path}: cannot be opened with the passphrase of {passphrase_file}") from error


def _checked(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(read_secret(path))
        version, crypto = held["version"], held["crypto"] if "crypto" in held else held["Crypto"]
        function, cost = crypto["kdf"], crypto["kdfparams"].get("n")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyRejected(f"{path}: no keystore of version 3") from error
    if version != 3:
        raise KeyRejected(f"{path}: keystore version {version!r}: expected 3")
    if function != "scrypt" or not isinstance(cost, int) or cost < LEAST_N:
        raise KeyRejected(f"{path}: expected scrypt with n of {LEAST_N} or more")
    return cast("dict[str, Any]", held)
