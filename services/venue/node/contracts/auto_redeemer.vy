# pragma version 0.4.3
# @notice Redeems resolved shares for wallets that have approved it, and sends them what it got: balances vanish by themselves.

interface Collateral:
    def balanceOf(account: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable

interface Tokens:
    def balanceOf(account: address, id: uint256) -> uint256: view
    def safeBatchTransferFrom(sender: address, receiver: address, ids: DynArray[uint256, 2], amounts: DynArray[uint256, 2], data: Bytes[32]): nonpayable
    def redeemPositions(collateral: address, parent: bytes32, condition: bytes32, index_sets: DynArray[uint256, 2]): nonpayable

interface NegRisk:
    def redeemPositions(condition: bytes32, amounts: DynArray[uint256, 2]): nonpayable

interface Router:
    def redeem(condition: bytes31, outcome: uint256, amount: uint256): nonpayable

event PayoutRedemption:
    redeemer: indexed(address)
    conditionId: indexed(bytes32)
    amounts: DynArray[uint256, 2]
    payout: uint256

COLLATERAL: constant(Collateral) = Collateral(0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB)
TOKENS: constant(Tokens) = Tokens(0x4D97DCd97eC945f40cF65F87097ACe5EA0476045)
NEG_RISK: constant(NegRisk) = NegRisk(0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296)
WRAPPED: constant(address) = 0x3A3BD7bb9528E159577F7C2e685CC81A765002E2
MANAGER: constant(Tokens) = Tokens(0x006F54F7f9A22e0000CC2AB60031000000ae9fEF)
ROUTER: constant(Router) = Router(0x12121212006e4CD160D18e3f00711DA5c3372600)
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81

# Written into the genesis block: see services/venue/node/genesis.py.
isOperator: public(HashMap[address, bool])


@external
def redeem(owner: address, conditionId: bytes32):
    """
    @notice Redeem all that the owner has of an ordinary condition.
    """
    self._require_operator()
    before: uint256 = staticcall COLLATERAL.balanceOf(self)
    amounts: DynArray[uint256, 2] = self._fetch(TOKENS, owner, self._positions(COLLATERAL.address, conditionId))
    extcall TOKENS.redeemPositions(COLLATERAL.address, empty(bytes32), conditionId, [1, 2])
    self._forward(owner, conditionId, amounts, before)


@external
def redeemNegRisk(owner: address, conditionId: bytes32):
    self._require_operator()
    before: uint256 = staticcall COLLATERAL.balanceOf(self)
    amounts: DynArray[uint256, 2] = self._fetch(TOKENS, owner, self._positions(WRAPPED, conditionId))
    extcall NEG_RISK.redeemPositions(conditionId, amounts)
    self._forward(owner, conditionId, amounts, before)


@external
def redeemPosition(owner: address, conditionId: bytes31):
    """
    @notice The same for a condition of protocol v2.
    """
    self._require_operator()
    before: uint256 = staticcall COLLATERAL.balanceOf(self)
    condition: bytes32 = convert(conditionId, bytes32)
    first: uint256 = convert(condition, uint256)
    amounts: DynArray[uint256, 2] = self._fetch(MANAGER, owner, [first, first | 1])
    extcall ROUTER.redeem(conditionId, 0, amounts[0])
    extcall ROUTER.redeem(conditionId, 1, amounts[1])
    self._forward(owner, condition, amounts, before)


@external
@view
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    return ON_RECEIVED


@external
@view
def onERC1155BatchReceived(operator: address, sender: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]) -> bytes4:
    return ON_BATCH_RECEIVED


@internal
def _fetch(tokens: Tokens, owner: address, ids: DynArray[uint256, 2]) -> DynArray[uint256, 2]:
    amounts: DynArray[uint256, 2] = [staticcall tokens.balanceOf(owner, ids[0]), staticcall tokens.balanceOf(owner, ids[1])]
    if amounts[0] + amounts[1] == 0:
        raw_revert(method_id("NothingToRedeem()"))
    extcall tokens.safeBatchTransferFrom(owner, self, ids, amounts, b"")
    return amounts


@internal
def _forward(owner: address, condition: bytes32, amounts: DynArray[uint256, 2], before: uint256):
    payout: uint256 = staticcall COLLATERAL.balanceOf(self) - before
    assert extcall COLLATERAL.transfer(owner, payout)
    log PayoutRedemption(redeemer=owner, conditionId=condition, amounts=amounts, payout=payout)


@internal
@view
def _require_operator():
    if not self.isOperator[msg.sender]:
        raw_revert(method_id("NotOperator()"))


@internal
@pure
def _positions(backing: address, condition: bytes32) -> DynArray[uint256, 2]:
    return [self._position(backing, condition, 1), self._position(backing, condition, 2)]


@internal
@pure
def _position(backing: address, condition: bytes32, index_set: uint256) -> uint256:
    collection: bytes32 = keccak256(concat(condition, convert(index_set, bytes32)))
    return convert(keccak256(concat(convert(backing, bytes20), collection)), uint256)
