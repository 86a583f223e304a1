"""What a wallet has allowed the protocol's contracts: the pairs that the official clients ask for before they trade."""

from __future__ import annotations

from dataclasses import dataclass

from services.venue.data.rows import Row
from services.venue.node import addresses, calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Node

UNLIMITED = 2**256 - 1
_ALLOWANCE: Signature = ("allowance", ("address", "address"))
_IS_APPROVED: Signature = ("isApprovedForAll", ("address", "address"))


@dataclass(frozen=True, slots=True)
class Pair:
    """A token and who may take it; money is ERC20, shares are ERC1155."""

    name: str
    token: str
    spender: str
    standard: str = "ERC1155"
    feature: str = "trading"


def _money(name: str, spender: str, feature: str = "trading") -> Pair:
    return Pair(name, addresses.COLLATERAL, spender, "ERC20", feature)


def _shares(name: str, spender: str, feature: str = "trading") -> Pair:
    return Pair(name, addresses.CONDITIONAL_TOKENS, spender, feature=feature)


def _positions(name: str, spender: str, feature: str = "trading") -> Pair:
    return Pair(name, addresses.POSITION_MANAGER, spender, feature=feature)


PAIRS = (
    _money("UsdcExchange", addresses.EXCHANGE),
    _money("UsdcNegRiskExchange", addresses.NEG_RISK_EXCHANGE),
    _money("UsdcCollateralAdapter", addresses.COLLATERAL_ADAPTER),
    _money("UsdcNegRiskCollateralAdapter", addresses.NEG_RISK_COLLATERAL_ADAPTER),
    _money("PusdV2Router", addresses.ROUTER),
    _money("PusdV2Exchange", addresses.EXCHANGE_V3),
    _money("PerpsPusdDeposit", addresses.PERPS_DEPOSIT, "perps"),
    _shares("CtfExchangeIsApprovedForAll", addresses.EXCHANGE),
    _shares("CtfNegRiskExchangeIsApprovedForAll", addresses.NEG_RISK_EXCHANGE),
    _shares("CtfCollateralAdapterIsApprovedForAll", addresses.COLLATERAL_ADAPTER),
    _shares("CtfNegRiskCollateralAdapterIsApprovedForAll", addresses.NEG_RISK_COLLATERAL_ADAPTER),
    _shares("AutoRedeemCtfOperator", addresses.AUTO_REDEEMER, "auto-redeem"),
    _shares("CtfBinaryModuleIsApprovedForAll", addresses.BINARY_MODULE),
    _shares("CtfNegRiskModuleIsApprovedForAll", addresses.NEG_RISK_MODULE),
    _positions("V2PositionManagerRouterIsApprovedForAll", addresses.ROUTER),
    _positions("V2PositionManagerExchangeIsApprovedForAll", addresses.EXCHANGE_V3),
    _positions("AutoRedeemV2PositionManagerV2Redeemer", addresses.AUTO_REDEEMER, "auto-redeem"),
)


class Approvals:
    """Reads the chain, all pairs at once."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def of(self, wallet: str) -> list[Row]:
        """One row for each pair. Raises as the node does."""
        calls = [("eth_call", [{"to": pair.token, "data": _question(pair, wallet)}, "latest"]) for pair in PAIRS]
        answers = await self._node.batch(calls)
        return [
            _row(pair, int(str(answer), 16) if len(str(answer)) > 2 else 0)
            for pair, answer in zip(PAIRS, answers, strict=True)
        ]


def _question(pair: Pair, wallet: str) -> str:
    return calldata.write(_ALLOWANCE if pair.standard == "ERC20" else _IS_APPROVED, wallet, pair.spender)


def _row(pair: Pair, allowed: int) -> Row:
    row: Row = {
        "id": pair.name,
        "feature": pair.feature,
        "token": pair.token.lower(),
        "spender": pair.spender.lower(),
        "standard": pair.standard,
        "approved": allowed > 0,
    }
    # The exchange takes its part of an unlimited allowance, and it stays one for all that matters.
    return row | {"amount": "max" if allowed >= UNLIMITED >> 1 else str(allowed)} if pair.standard == "ERC20" else row
