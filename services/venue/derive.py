"""Where a signer's contract wallets lie: CREATE2 addresses, which are known before anything is deployed there."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

PROXY_FACTORY = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"
PROXY_IMPLEMENTATION = "0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f"
SAFE_FACTORY = "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b"
SAFE_INIT_CODE_HASH = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
DEPOSIT_FACTORY = "0x00000000000Fb5C9ADea0298D729A0CB3823Cc07"
DEPOSIT_IMPLEMENTATION = "0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB"
DEPOSIT_BEACON = "0x7A18EDfe055488A3128f01F563e5B479D92ffc3a"


def proxy_wallet(signer: str) -> str:
    """The proxy that the proxy factory clones for a signer, checksummed."""
    return _create2(PROXY_FACTORY, keccak(_raw(signer)), _PROXY_INIT_CODE_HASH)


def safe_wallet(signer: str) -> str:
    """The Safe with this one owner, checksummed."""
    return _create2(SAFE_FACTORY, keccak(encode(["address"], [signer])), SAFE_INIT_CODE_HASH)


def deposit_wallet(signer: str) -> str:
    """The deposit wallet that is made today: a proxy of the factory's beacon, checksummed."""
    return _deposit(signer, _BEACON_START, DEPOSIT_BEACON, _BEACON_END)


def old_deposit_wallet(signer: str) -> str:
    """The deposit wallet that was made before the beacon: a proxy of one implementation, checksummed."""
    return _deposit(signer, _UUPS_START, DEPOSIT_IMPLEMENTATION, _UUPS_END)


def _deposit(signer: str, start: int, pointed_at: str, end: bytes) -> str:
    # The clone carries its arguments behind its code, and the code's length, in its first bytes, counts them.
    arguments = encode(["address", "bytes32"], [DEPOSIT_FACTORY, _raw(signer).rjust(32, b"\0")])
    prefix = (start + (len(arguments) << 56)).to_bytes(10, "big")
    return _create2(DEPOSIT_FACTORY, keccak(arguments), keccak(prefix + _raw(pointed_at) + end + arguments))


def _create2(factory: str, salt: bytes, init_code_hash: bytes) -> str:
    return to_checksum_address(keccak(b"\xff" + _raw(factory) + salt + init_code_hash)[12:])


def _raw(address: str) -> bytes:
    return bytes.fromhex(address.removeprefix("0x"))


# Init codes of the factories' clones, as they are on chain: a minimal proxy with a constructor call, and the two
# ERC-1967 proxies with immutable arguments (one implementation, one beacon).
_PROXY_INIT_CODE_HASH = keccak(
    bytes.fromhex("3d3d606380380380913d393d73")
    + _raw(PROXY_FACTORY)
    + bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73")
    + _raw(PROXY_IMPLEMENTATION)
    + bytes.fromhex("5af43d82803e903d91602b57fd5bf352e831dd")
    + (32).to_bytes(32, "big")
    + bytes(32)
)
_UUPS_START = 0x61003D3D8160233D3973
_UUPS_END = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_START = 0x6100523D8160233D3973
_BEACON_END = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)
