"""Who may take what of a wallet: the pairs of a token and a contract that the real venue watches, and those that an account which is set up has
granted."""

from __future__ import annotations

from dataclasses import dataclass

from services.venue.conditions import Send
from services.venue.node import addresses, calldata
from services.venue.node.calldata import Signature

UNLIMITED = 2**256 - 1
_APPROVE: Signature = ("approve", ("address", "uint256"))
_APPROVE_ALL: Signature = ("setApprovalForAll", ("address", "bool"))


@dataclass(frozen=True, slots=True)
class Pair:
    """A token and who may take it; money is ERC20, shares are ERC1155. What is granted once and for all is `lasting`, other money by the
    amount; `granted` says whether an account that is set up has it here."""

    name: str
    token: str
    spender: str
    standard: str = "ERC1155"
    feature: str = "trading"
    lasting: bool = True
    granted: bool = True


def _money(name: str, spender: str) -> Pair:
    return Pair(name, addresses.COLLATERAL, spender, "ERC20")


def _shares(name: str, spender: str) -> Pair:
    return Pair(name, addresses.CONDITIONAL_TOKENS, spender)


def _positions(name: str, spender: str) -> Pair:
    return Pair(name, addresses.POSITION_MANAGER, spender)


# In the order in which the real Data API lists them. What is not granted is of contracts that are not here.
PAIRS = (
    _money("UsdcCtf", addresses.CONDITIONAL_TOKENS),
    _money("UsdcExchange", addresses.EXCHANGE),
    _money("UsdcNegRiskExchange", addresses.NEG_RISK_EXCHANGE),
    _money("UsdcNegRiskAdapter", addresses.NEG_RISK_ADAPTER),
    _money("UsdcCollateralAdapter", addresses.COLLATERAL_ADAPTER),
    _money("UsdcNegRiskCollateralAdapter", addresses.NEG_RISK_COLLATERAL_ADAPTER),
    _money("PusdV2Exchange", addresses.EXCHANGE_V3),
    _money("PusdV2Router", addresses.ROUTER),
    Pair("UsdceCollateralOnramp", addresses.USDC_E, addresses.ONRAMP, "ERC20", granted=False),
    Pair("PerpsPusdDeposit", addresses.COLLATERAL, addresses.PERPS_DEPOSIT, "ERC20", "perps", lasting=False),
    Pair(
        "SponsorRewards",
        addresses.COLLATERAL,
        addresses.SPONSOR_REWARDS,
        "ERC20",
        "rewards",
        lasting=False,
        granted=False,
    ),
    _shares("CtfExchangeIsApprovedForAll", addresses.EXCHANGE),
    _shares("CtfNegRiskExchangeIsApprovedForAll", addresses.NEG_RISK_EXCHANGE),
    _shares("CtfNegRiskAdapterIsApprovedForAll", addresses.NEG_RISK_ADAPTER),
    _shares("CtfCollateralAdapterIsApprovedForAll", addresses.COLLATERAL_ADAPTER),
    _shares("CtfNegRiskCollateralAdapterIsApprovedForAll", addresses.NEG_RISK_COLLATERAL_ADAPTER),
    _positions("V2PositionManagerRouterIsApprovedForAll", addresses.ROUTER),
    _positions("V2PositionManagerExchangeIsApprovedForAll", addresses.EXCHANGE_V3),
    Pair(
        "AutoRedeemCtfOperator",
        addresses.CONDITIONAL_TOKENS,
        addresses.OLD_AUTO_REDEEMER,
        feature="auto-redeem",
        granted=False,
    ),
    Pair("AutoRedeemCtfV2Redeemer", addresses.CONDITIONAL_TOKENS, addresses.AUTO_REDEEMER, feature="auto-redeem"),
    Pair(
        "AutoRedeemV2PositionManagerV2Redeemer",
        addresses.POSITION_MANAGER,
        addresses.AUTO_REDEEMER,
        feature="auto-redeem",
    ),
    _shares("CtfBinaryModuleIsApprovedForAll", addresses.BINARY_MODULE),
    _shares("CtfNegRiskModuleIsApprovedForAll", addresses.NEG_RISK_MODULE),
)


def granting(wallet: str) -> list[Send]:
    """The transactions by which a wallet grants all that an account which is set up has granted."""
    return [_grant(wallet, pair) for pair in PAIRS if pair.granted]


def _grant(wallet: str, pair: Pair) -> Send:
    if pair.standard == "ERC20":
        return Send(wallet, pair.token, calldata.write(_APPROVE, pair.spender, UNLIMITED))
    return Send(wallet, pair.token, calldata.write(_APPROVE_ALL, pair.spender, True))
