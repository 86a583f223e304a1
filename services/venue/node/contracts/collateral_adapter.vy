# pragma version 0.4.3
# @notice Splits, merges and redeems for wallets that hold pUSD. Compiled twice, over the conditional tokens and over the neg-risk
# adapter: services/venue/node/compile.py sets the constants that differ.

interface Collateral:
    def balanceOf(account: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Tokens:
    def balanceOf(account: address, id: uint256) -> uint256: view
    def safeBatchTransferFrom(sender: address, receiver: address, ids: DynArray[uint256, 2], amounts: DynArray[uint256, 2], data: Bytes[32]): nonpayable

interface Target:
    def splitPosition(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 2], amount: uint256): nonpayable
    def mergePositions(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 2], amount: uint256): nonpayable

interface BySets:
    def redeemPositions(collateral: address, parent: bytes32, condition: bytes32, index_sets: DynArray[uint256, 2]): nonpayable

interface ByAmounts:
    def redeemPositions(condition: bytes32, amounts: DynArray[uint256, 2]): nonpayable

event PositionSplit:
    stakeholder: indexed(address)
    conditionId: indexed(bytes32)
    amount: uint256

event PositionsMerge:
    stakeholder: indexed(address)
    conditionId: indexed(bytes32)
    amount: uint256

event PayoutRedemption:
    redeemer: indexed(address)
    conditionId: indexed(bytes32)
    amounts: DynArray[uint256, 2]
    payout: uint256

COLLATERAL: constant(Collateral) = Collateral(0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB)
TOKENS: constant(Tokens) = Tokens(0x4D97DCd97eC945f40cF65F87097ACe5EA0476045)
TARGET: constant(Target) = Target(0x4D97DCd97eC945f40cF65F87097ACe5EA0476045)
# What positions are made of: the collateral itself, or what the neg-risk adapter wraps it in.
BACKING: constant(address) = 0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB
# Whether the target redeems given amounts, and not whatever its caller has.
BY_AMOUNTS: constant(bool) = False
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81


@external
def splitPosition(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, partition: DynArray[uint256, 256], amount: uint256):
    """
    @notice Turn the caller's pUSD into as many shares of both outcomes; what else the arguments say is as on the conditional
    tokens, and does not matter.
    """
    assert extcall COLLATERAL.transferFrom(msg.sender, self, amount)
    extcall TARGET.splitPosition(COLLATERAL.address, empty(bytes32), conditionId, [1, 2], amount)
    extcall TOKENS.safeBatchTransferFrom(self, msg.sender, self._positions(conditionId), [amount, amount], b"")
    log PositionSplit(stakeholder=msg.sender, conditionId=conditionId, amount=amount)


@external
def mergePositions(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, partition: DynArray[uint256, 256], amount: uint256):
    """
    @notice Turn as many shares of both outcomes back into the caller's pUSD.
    """
    extcall TOKENS.safeBatchTransferFrom(msg.sender, self, self._positions(conditionId), [amount, amount], b"")
    extcall TARGET.mergePositions(COLLATERAL.address, empty(bytes32), conditionId, [1, 2], amount)
    assert extcall COLLATERAL.transfer(msg.sender, amount)
    log PositionsMerge(stakeholder=msg.sender, conditionId=conditionId, amount=amount)


@external
def redeemPositions(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, indexSets: DynArray[uint256, 256]):
    """
    @notice Turn all shares that the caller has of a resolved condition into what they pay.
    """
    ids: DynArray[uint256, 2] = self._positions(conditionId)
    amounts: DynArray[uint256, 2] = [
        staticcall TOKENS.balanceOf(msg.sender, ids[0]),
        staticcall TOKENS.balanceOf(msg.sender, ids[1]),
    ]
    extcall TOKENS.safeBatchTransferFrom(msg.sender, self, ids, amounts, b"")
    before: uint256 = staticcall COLLATERAL.balanceOf(self)
    if BY_AMOUNTS:
        extcall ByAmounts(TARGET.address).redeemPositions(conditionId, amounts)
    else:
        extcall BySets(TARGET.address).redeemPositions(COLLATERAL.address, empty(bytes32), conditionId, [1, 2])
    payout: uint256 = staticcall COLLATERAL.balanceOf(self) - before
    assert extcall COLLATERAL.transfer(msg.sender, payout)
    log PayoutRedemption(redeemer=msg.sender, conditionId=conditionId, amounts=amounts, payout=payout)


@external
@view
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    return ON_RECEIVED


@external
@view
def onERC1155BatchReceived(operator: address, sender: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]) -> bytes4:
    return ON_BATCH_RECEIVED


@internal
@pure
def _positions(condition: bytes32) -> DynArray[uint256, 2]:
    return [self._position(condition, 1), self._position(condition, 2)]


@internal
@pure
def _position(condition: bytes32, index_set: uint256) -> uint256:
    collection: bytes32 = keccak256(concat(condition, convert(index_set, bytes32)))
    return convert(keccak256(concat(convert(BACKING, bytes20), collection)), uint256)
