# pragma version 0.4.3
# @notice Conditional tokens of the local chain: two outcomes per condition, as ERC-1155 positions over a collateral.

interface Collateral:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Receiver:
    def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4: nonpayable
    def onERC1155BatchReceived(operator: address, sender: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]) -> bytes4: nonpayable

event TransferSingle:
    operator: indexed(address)
    sender: indexed(address)
    receiver: indexed(address)
    id: uint256
    amount: uint256

event TransferBatch:
    operator: indexed(address)
    sender: indexed(address)
    receiver: indexed(address)
    ids: DynArray[uint256, 256]
    amounts: DynArray[uint256, 256]

event ApprovalForAll:
    owner: indexed(address)
    operator: indexed(address)
    approved: bool

event ConditionPreparation:
    conditionId: indexed(bytes32)
    oracle: indexed(address)
    questionId: indexed(bytes32)
    outcomeSlotCount: uint256

event ConditionResolution:
    conditionId: indexed(bytes32)
    oracle: indexed(address)
    questionId: indexed(bytes32)
    outcomeSlotCount: uint256
    payoutNumerators: DynArray[uint256, 256]

event PositionSplit:
    stakeholder: indexed(address)
    collateralToken: address
    parentCollectionId: indexed(bytes32)
    conditionId: indexed(bytes32)
    partition: DynArray[uint256, 256]
    amount: uint256

event PositionsMerge:
    stakeholder: indexed(address)
    collateralToken: address
    parentCollectionId: indexed(bytes32)
    conditionId: indexed(bytes32)
    partition: DynArray[uint256, 256]
    amount: uint256

event PayoutRedemption:
    redeemer: indexed(address)
    collateralToken: indexed(address)
    parentCollectionId: indexed(bytes32)
    conditionId: bytes32
    indexSets: DynArray[uint256, 256]
    payout: uint256

OUTCOMES: constant(uint256) = 2
# ERC-165 ids of ERC-165 and ERC-1155.
SUPPORTED: constant(bytes4[2]) = [0x01ffc9a7, 0xd9b67a26]

balanceOf: public(HashMap[address, HashMap[uint256, uint256]])
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])
getOutcomeSlotCount: public(HashMap[bytes32, uint256])
payoutNumerators: public(HashMap[bytes32, uint256[OUTCOMES]])
payoutDenominator: public(HashMap[bytes32, uint256])


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    return interface_id in SUPPORTED


@external
@pure
def getConditionId(oracle: address, questionId: bytes32, outcomeSlotCount: uint256) -> bytes32:
    return self._condition_id(oracle, questionId, outcomeSlotCount)


@external
@pure
def getCollectionId(parentCollectionId: bytes32, conditionId: bytes32, indexSet: uint256) -> bytes32:
    self._require_no_parent(parentCollectionId)
    return self._collection_id(conditionId, indexSet)


@external
@pure
def getPositionId(collateralToken: address, collectionId: bytes32) -> uint256:
    return self._position_id(collateralToken, collectionId)


@external
@view
def balanceOfBatch(owners: DynArray[address, 256], ids: DynArray[uint256, 256]) -> DynArray[uint256, 256]:
    if len(owners) != len(ids):
        raw_revert(method_id("MismatchedArrayLengths()"))
    balances: DynArray[uint256, 256] = []
    for index: uint256 in range(len(ids), bound=256):
        balances.append(self.balanceOf[owners[index]][ids[index]])
    return balances


@external
def setApprovalForAll(operator: address, approved: bool):
    self.isApprovedForAll[msg.sender][operator] = approved
    log ApprovalForAll(owner=msg.sender, operator=operator, approved=approved)


@external
def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[1024]):
    self._require_approved(sender, receiver)
    self._move(sender, receiver, id, amount)
    log TransferSingle(operator=msg.sender, sender=sender, receiver=receiver, id=id, amount=amount)
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155Received(msg.sender, sender, id, amount, data)
        self._require_accepted(answer == method_id("onERC1155Received(address,address,uint256,uint256,bytes)", output_type=bytes4))


@external
def safeBatchTransferFrom(sender: address, receiver: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]):
    self._require_approved(sender, receiver)
    if len(ids) != len(amounts):
        raw_revert(method_id("MismatchedArrayLengths()"))
    for index: uint256 in range(len(ids), bound=256):
        self._move(sender, receiver, ids[index], amounts[index])
    log TransferBatch(operator=msg.sender, sender=sender, receiver=receiver, ids=ids, amounts=amounts)
    self._offer_batch(sender, receiver, ids, amounts, data)


@external
def prepareCondition(oracle: address, questionId: bytes32, outcomeSlotCount: uint256):
    if outcomeSlotCount != OUTCOMES:
        raw_revert(method_id("OnlyBinaryConditions()"))
    condition: bytes32 = self._condition_id(oracle, questionId, outcomeSlotCount)
    if self.getOutcomeSlotCount[condition] != 0:
        raw_revert(method_id("ConditionAlreadyPrepared()"))
    self.getOutcomeSlotCount[condition] = outcomeSlotCount
    log ConditionPreparation(conditionId=condition, oracle=oracle, questionId=questionId, outcomeSlotCount=outcomeSlotCount)


@external
def reportPayouts(questionId: bytes32, payouts: DynArray[uint256, 256]):
    condition: bytes32 = self._condition_id(msg.sender, questionId, len(payouts))
    self._require_prepared(condition)
    if self.payoutDenominator[condition] != 0:
        raw_revert(method_id("PayoutAlreadyReported()"))
    denominator: uint256 = payouts[0] + payouts[1]
    if denominator == 0:
        raw_revert(method_id("PayoutIsAllZeroes()"))
    self.payoutNumerators[condition] = [payouts[0], payouts[1]]
    self.payoutDenominator[condition] = denominator
    log ConditionResolution(conditionId=condition, oracle=msg.sender, questionId=questionId, outcomeSlotCount=OUTCOMES, payoutNumerators=payouts)


@external
def splitPosition(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, partition: DynArray[uint256, 256], amount: uint256):
    ids: DynArray[uint256, 256] = self._whole_partition(collateralToken, parentCollectionId, conditionId, partition)
    assert extcall Collateral(collateralToken).transferFrom(msg.sender, self, amount)
    for id: uint256 in ids:
        self.balanceOf[msg.sender][id] += amount
    log TransferBatch(operator=msg.sender, sender=empty(address), receiver=msg.sender, ids=ids, amounts=[amount, amount])
    self._offer_batch(empty(address), msg.sender, ids, [amount, amount], b"")
    log PositionSplit(stakeholder=msg.sender, collateralToken=collateralToken, parentCollectionId=parentCollectionId, conditionId=conditionId, partition=partition, amount=amount)


@external
def mergePositions(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, partition: DynArray[uint256, 256], amount: uint256):
    ids: DynArray[uint256, 256] = self._whole_partition(collateralToken, parentCollectionId, conditionId, partition)
    for id: uint256 in ids:
        self._debit(msg.sender, id, amount)
    log TransferBatch(operator=msg.sender, sender=msg.sender, receiver=empty(address), ids=ids, amounts=[amount, amount])
    assert extcall Collateral(collateralToken).transfer(msg.sender, amount)
    log PositionsMerge(stakeholder=msg.sender, collateralToken=collateralToken, parentCollectionId=parentCollectionId, conditionId=conditionId, partition=partition, amount=amount)


@external
def redeemPositions(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, indexSets: DynArray[uint256, 256]):
    self._require_no_parent(parentCollectionId)
    denominator: uint256 = self.payoutDenominator[conditionId]
    if denominator == 0:
        raw_revert(method_id("PayoutNotReported()"))
    payout: uint256 = 0
    for index_set: uint256 in indexSets:
        id: uint256 = self._position_id(collateralToken, self._collection_id(conditionId, index_set))
        held: uint256 = self.balanceOf[msg.sender][id]
        if held > 0:
            payout += held * self._numerator(conditionId, index_set) // denominator
            self.balanceOf[msg.sender][id] = 0
            log TransferSingle(operator=msg.sender, sender=msg.sender, receiver=empty(address), id=id, amount=held)
    if payout > 0:
        assert extcall Collateral(collateralToken).transfer(msg.sender, payout)
    log PayoutRedemption(redeemer=msg.sender, collateralToken=collateralToken, parentCollectionId=parentCollectionId, conditionId=conditionId, indexSets=indexSets, payout=payout)


@internal
@view
def _whole_partition(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 256]) -> DynArray[uint256, 256]:
    self._require_no_parent(parent)
    self._require_prepared(condition)
    if len(partition) != OUTCOMES or partition[0] + partition[1] != 3 or partition[0] * partition[1] != 2:
        raw_revert(method_id("InvalidPartition()"))
    return [
        self._position_id(collateral, self._collection_id(condition, partition[0])),
        self._position_id(collateral, self._collection_id(condition, partition[1])),
    ]


@internal
@view
def _numerator(condition: bytes32, index_set: uint256) -> uint256:
    if index_set == 0 or index_set > 3:
        raw_revert(method_id("InvalidIndexSet()"))
    numerator: uint256 = 0
    if index_set & 1 != 0:
        numerator += self.payoutNumerators[condition][0]
    if index_set & 2 != 0:
        numerator += self.payoutNumerators[condition][1]
    return numerator


@internal
@pure
def _condition_id(oracle: address, question: bytes32, outcomes: uint256) -> bytes32:
    return keccak256(concat(convert(oracle, bytes20), question, convert(outcomes, bytes32)))


@internal
@pure
def _collection_id(condition: bytes32, index_set: uint256) -> bytes32:
    return keccak256(concat(condition, convert(index_set, bytes32)))


@internal
@pure
def _position_id(collateral: address, collection: bytes32) -> uint256:
    return convert(keccak256(concat(convert(collateral, bytes20), collection)), uint256)


@internal
def _move(sender: address, receiver: address, id: uint256, amount: uint256):
    self._debit(sender, id, amount)
    # A position's supply is bounded by the collateral locked for it.
    self.balanceOf[receiver][id] = unsafe_add(self.balanceOf[receiver][id], amount)


@internal
def _debit(account: address, id: uint256, amount: uint256):
    held: uint256 = self.balanceOf[account][id]
    if held < amount:
        raw_revert(method_id("InsufficientBalance()"))
    self.balanceOf[account][id] = unsafe_sub(held, amount)


@internal
def _offer_batch(sender: address, receiver: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]):
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155BatchReceived(msg.sender, sender, ids, amounts, data)
        self._require_accepted(answer == method_id("onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)", output_type=bytes4))


@internal
@view
def _require_approved(sender: address, receiver: address):
    if receiver == empty(address):
        raw_revert(method_id("TransferToZeroAddress()"))
    if sender != msg.sender and not self.isApprovedForAll[sender][msg.sender]:
        raw_revert(method_id("NotApproved()"))


@internal
@pure
def _require_accepted(accepted: bool):
    if not accepted:
        raw_revert(method_id("ReceiverRejected()"))


@internal
@view
def _require_prepared(condition: bytes32):
    if self.getOutcomeSlotCount[condition] == 0:
        raw_revert(method_id("ConditionNotPrepared()"))


@internal
@pure
def _require_no_parent(parent: bytes32):
    if parent != empty(bytes32):
        raw_revert(method_id("NestedPositionsUnsupported()"))
