"""Every kind of market on the EVM in this process, and wallets that have approved everything."""

from services.venue import conditions
from services.venue.bank import UNLIMITED
from services.venue.conditions import Condition, Send
from services.venue.contracts import NEG_RISK, POSITIONS
from services.venue.node import addresses
from services.venue.node.block import Mined
from services.venue.node.reasons import reason
from tests.venue_chain import ALICE, BOB, CAROL, QUESTION, Contracts

METADATA = b"cup"
MARKET = conditions.neg_risk_market_id(METADATA)
REDS, BLUES, GREENS = (conditions.neg_risk(MARKET, index) for index in range(3))
COMET = conditions.position(QUESTION)
RAIN = conditions.standard(QUESTION)
CASH, TOKENS, MANAGER = addresses.COLLATERAL, addresses.CONDITIONAL_TOKENS, addresses.POSITION_MANAGER
SPLIT = ("splitPosition", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
MERGE = ("mergePositions", ("address", "bytes32", "bytes32", "uint256[]", "uint256"))
REDEEM = ("redeemPositions", ("address", "bytes32", "bytes32", "uint256[]"))
CONVERT = ("convertPositions", ("bytes32", "uint256", "uint256"))
APPROVE_ALL = ("setApprovalForAll", ("address", "bool"))


class World(Contracts):
    """Every kind of market, and wallets that have approved everything."""

    def __init__(self) -> None:
        super().__init__()
        self.do(conditions.preparing_market(METADATA))
        for one in (REDS, BLUES, GREENS, COMET):
            self.do(conditions.preparing(one))
        for wallet in (ALICE, BOB, CAROL):
            self.approve(wallet.address)

    def do(self, send: Send) -> Mined:
        mined = self.try_(send)
        assert mined.ok, reason(mined.output)
        return mined

    def try_(self, send: Send) -> Mined:
        return self.send_data(send.sender, send.to, send.data)

    def held(self, wallet: str, condition: Condition) -> list[int]:
        """Shares of yes and no."""
        balance = ("balanceOf", ("address", "uint256"))
        return [self.ask(condition.contract.tokens, balance, "uint256", wallet, one) for one in condition.tokens]

    def approve(self, wallet: str) -> None:
        approve = ("approve", ("address", "uint256"))
        adapters = (addresses.COLLATERAL_ADAPTER, addresses.NEG_RISK_COLLATERAL_ADAPTER)
        for spender in (*adapters, *conditions.spenders(NEG_RISK), *conditions.spenders(POSITIONS)):
            self.must(wallet, CASH, approve, spender, UNLIMITED)
        for mover in (*adapters, addresses.NEG_RISK_ADAPTER, addresses.AUTO_REDEEMER, addresses.NEG_RISK_EXCHANGE):
            self.must(wallet, TOKENS, APPROVE_ALL, mover, True)
        for mover in (*conditions.movers(POSITIONS), addresses.AUTO_REDEEMER):
            self.must(wallet, MANAGER, APPROVE_ALL, mover, True)
