"""Which contracts settle a market: one row for each kind of market, and what a token's id says about where it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from services.venue.node import addresses

# A position id ends in an outcome byte, and these bits of it are zero: no hash of the conditional tokens has that.
_RESERVED = ((1 << 64) - 1) << 40
# The ERC-1155 contracts answer for no more positions in one call.
MOST_IDS = 256


@dataclass(frozen=True, slots=True)
class Contract:
    """`exchange` settles orders signed under its address and `domain_version`; `tokens` is the ERC-1155 that keeps the shares;
    `adapter` splits, merges and redeems for a wallet that has approved it."""

    exchange: str
    domain_version: str
    tokens: str
    adapter: str
    collateral: str = addresses.COLLATERAL


STANDARD = Contract(addresses.EXCHANGE, "2", addresses.CONDITIONAL_TOKENS, addresses.COLLATERAL_ADAPTER)
NEG_RISK = Contract(
    addresses.NEG_RISK_EXCHANGE, "2", addresses.CONDITIONAL_TOKENS, addresses.NEG_RISK_COLLATERAL_ADAPTER
)
POSITIONS = Contract(addresses.EXCHANGE_V3, "3", addresses.POSITION_MANAGER, addresses.ROUTER)
ALL = (STANDARD, NEG_RISK, POSITIONS)
# The exchanges of version 1, which settle nothing any more.
RETIRED = (
    Contract(addresses.OLD_EXCHANGE, "1", addresses.CONDITIONAL_TOKENS, addresses.CONDITIONAL_TOKENS),
    Contract(addresses.OLD_NEG_RISK_EXCHANGE, "1", addresses.CONDITIONAL_TOKENS, addresses.NEG_RISK_ADAPTER),
)

_BY_MARKET = {("v1", False): STANDARD, ("v1", True): NEG_RISK, ("v2", False): POSITIONS, ("v2", True): POSITIONS}


def contract_of(version: str, *, neg_risk: bool) -> Contract:
    """The contracts of a kind of market; ValueError for a version that is not known (venue.md 12)."""
    try:
        return _BY_MARKET[version, neg_risk]
    except KeyError as error:
        raise ValueError(f"unknown market version: {version}") from error


def is_position_id(token_id: str | int) -> bool:
    """Whether the id is one of the position manager's, and not a hash of the conditional tokens."""
    return int(token_id) & _RESERVED == 0


def tokens_of(token_id: str | int) -> str:
    """The ERC-1155 contract that keeps a token."""
    return addresses.POSITION_MANAGER if is_position_id(token_id) else addresses.CONDITIONAL_TOKENS
