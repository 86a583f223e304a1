# pragma version 0.4.3
# @notice Neg-risk markets of the local chain: questions of which at most one is answered yes, their positions made of wrapped collateral
# that this contract alone mints, so that no-shares of some questions can become yes-shares of the others.

interface Collateral:
    def balanceOf(account: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Wrapped:
    def balanceOf(account: address) -> uint256: view
    def mint(receiver: address, amount: uint256): nonpayable
    def burn(amount: uint256): nonpayable

interface Tokens:
    def balanceOf(account: address, id: uint256) -> uint256: view
    def balanceOfBatch(owners: DynArray[address, 256], ids: DynArray[uint256, 256]) -> DynArray[uint256, 256]: view
    def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[32]): nonpayable
    def safeBatchTransferFrom(sender: address, receiver: address, ids: DynArray[uint256, 2], amounts: DynArray[uint256, 2], data: Bytes[32]): nonpayable
    def prepareCondition(oracle: address, question: bytes32, outcomes: uint256): nonpayable
    def reportPayouts(question: bytes32, payouts: DynArray[uint256, 2]): nonpayable
    def splitPosition(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 2], amount: uint256): nonpayable
    def mergePositions(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 2], amount: uint256): nonpayable
    def redeemPositions(collateral: address, parent: bytes32, condition: bytes32, index_sets: DynArray[uint256, 2]): nonpayable

event MarketPrepared:
    marketId: indexed(bytes32)
    oracle: indexed(address)
    feeBips: uint256
    data: Bytes[1024]

event QuestionPrepared:
    marketId: indexed(bytes32)
    questionId: indexed(bytes32)
    index: uint256
    data: Bytes[1024]

event OutcomeReported:
    marketId: indexed(bytes32)
    questionId: indexed(bytes32)
    outcome: bool

event PositionSplit:
    stakeholder: indexed(address)
    conditionId: indexed(bytes32)
    amount: uint256

event PositionsMerge:
    stakeholder: indexed(address)
    conditionId: indexed(bytes32)
    amount: uint256

event PositionsConverted:
    stakeholder: indexed(address)
    marketId: indexed(bytes32)
    indexSet: indexed(uint256)
    amount: uint256

event PayoutRedemption:
    redeemer: indexed(address)
    conditionId: indexed(bytes32)
    amounts: DynArray[uint256, 2]
    payout: uint256

MOST_QUESTIONS: constant(uint256) = 64
COLLATERAL: constant(Collateral) = Collateral(0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB)
WRAPPED: constant(Wrapped) = Wrapped(0x3A3BD7bb9528E159577F7C2e685CC81A765002E2)
TOKENS: constant(Tokens) = Tokens(0x4D97DCd97eC945f40cF65F87097ACe5EA0476045)
# No-shares that were converted lie here for ever.
BURNT: constant(address) = 0xa5Ef39C3D3e10d0B270233af41CaC69796B12966
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81

getOracle: public(HashMap[bytes32, address])
getQuestionCount: public(HashMap[bytes32, uint256])
getDetermined: public(HashMap[bytes32, bool])


@external
def prepareMarket(feeBips: uint256, metadata: Bytes[1024]) -> bytes32:
    """
    @notice Open a market whose questions the caller adds and answers; its id leaves a byte for the question's number.
    """
    if feeBips != 0:
        raw_revert(method_id("FeesUnsupported()"))
    market: bytes32 = self._market(keccak256(abi_encode(msg.sender, feeBips, metadata)))
    if self.getOracle[market] != empty(address):
        raw_revert(method_id("MarketAlreadyPrepared()"))
    self.getOracle[market] = msg.sender
    log MarketPrepared(marketId=market, oracle=msg.sender, feeBips=feeBips, data=metadata)
    return market


@external
def prepareQuestion(marketId: bytes32, metadata: Bytes[1024]) -> bytes32:
    self._require_oracle(marketId)
    index: uint256 = self.getQuestionCount[marketId]
    if index == MOST_QUESTIONS:
        raw_revert(method_id("TooManyQuestions()"))
    self.getQuestionCount[marketId] = index + 1
    question: bytes32 = self._question(marketId, index)
    extcall TOKENS.prepareCondition(self, question, 2)
    log QuestionPrepared(marketId=marketId, questionId=question, index=index, data=metadata)
    return question


@external
def reportOutcome(questionId: bytes32, outcome: bool):
    """
    @notice Answer a question; a market has room for one yes.
    """
    market: bytes32 = self._market(questionId)
    self._require_oracle(market)
    if outcome:
        if self.getDetermined[market]:
            raw_revert(method_id("MarketAlreadyDetermined()"))
        self.getDetermined[market] = True
    log OutcomeReported(marketId=market, questionId=questionId, outcome=outcome)
    extcall TOKENS.reportPayouts(questionId, [1, 0] if outcome else [0, 1])


@external
def splitPosition(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, partition: DynArray[uint256, 256], amount: uint256):
    self._require_collateral(collateralToken)
    assert extcall COLLATERAL.transferFrom(msg.sender, self, amount)
    self._split(conditionId, amount)
    extcall TOKENS.safeBatchTransferFrom(self, msg.sender, self._positions(conditionId), [amount, amount], b"")
    log PositionSplit(stakeholder=msg.sender, conditionId=conditionId, amount=amount)


@external
def mergePositions(collateralToken: address, parentCollectionId: bytes32, conditionId: bytes32, partition: DynArray[uint256, 256], amount: uint256):
    self._require_collateral(collateralToken)
    extcall TOKENS.safeBatchTransferFrom(msg.sender, self, self._positions(conditionId), [amount, amount], b"")
    extcall TOKENS.mergePositions(WRAPPED.address, empty(bytes32), conditionId, [1, 2], amount)
    self._unwrap(msg.sender, amount)
    log PositionsMerge(stakeholder=msg.sender, conditionId=conditionId, amount=amount)


@external
def redeemPositions(conditionId: bytes32, amounts: DynArray[uint256, 2]):
    """
    @notice Turn these amounts of yes and no of a resolved condition into what they pay.
    """
    extcall TOKENS.safeBatchTransferFrom(msg.sender, self, self._positions(conditionId), amounts, b"")
    before: uint256 = staticcall WRAPPED.balanceOf(self)
    extcall TOKENS.redeemPositions(WRAPPED.address, empty(bytes32), conditionId, [1, 2])
    payout: uint256 = staticcall WRAPPED.balanceOf(self) - before
    self._unwrap(msg.sender, payout)
    log PayoutRedemption(redeemer=msg.sender, conditionId=conditionId, amounts=amounts, payout=payout)


@external
def convertPositions(marketId: bytes32, indexSet: uint256, amount: uint256):
    """
    @notice Turn no-shares of the questions in a set of n into yes-shares of all others, and n-1 dollars for each.
    """
    count: uint256 = self.getQuestionCount[marketId]
    if count < 2:
        raw_revert(method_id("NoConvertiblePositions()"))
    if indexSet == 0 or indexSet >> count != 0:
        raw_revert(method_id("InvalidIndexSet()"))
    given: uint256 = 0
    for index: uint256 in range(count, bound=MOST_QUESTIONS):
        condition: bytes32 = self._condition(self._question(marketId, index))
        if indexSet >> index & 1 != 0:
            given += 1
            extcall TOKENS.safeTransferFrom(msg.sender, BURNT, self._position(condition, 2), amount, b"")
        else:
            # The sum of all answers is one dollar at most, so what is minted here is backed by the no-shares that were given.
            self._split(condition, amount)
            extcall TOKENS.safeTransferFrom(self, msg.sender, self._position(condition, 1), amount, b"")
            extcall TOKENS.safeTransferFrom(self, BURNT, self._position(condition, 2), amount, b"")
    assert extcall COLLATERAL.transfer(msg.sender, (given - 1) * amount)
    log PositionsConverted(stakeholder=msg.sender, marketId=marketId, indexSet=indexSet, amount=amount)


@external
@view
def balanceOf(owner: address, id: uint256) -> uint256:
    return staticcall TOKENS.balanceOf(owner, id)


@external
@view
def balanceOfBatch(owners: DynArray[address, 256], ids: DynArray[uint256, 256]) -> DynArray[uint256, 256]:
    return staticcall TOKENS.balanceOfBatch(owners, ids)


@external
@view
def getConditionId(questionId: bytes32) -> bytes32:
    return self._condition(questionId)


@external
@view
def getPositionId(questionId: bytes32, outcome: bool) -> uint256:
    return self._position(self._condition(questionId), 1 if outcome else 2)


@external
@pure
def ctf() -> address:
    return TOKENS.address


@external
@pure
def col() -> address:
    return COLLATERAL.address


@external
@pure
def wcol() -> address:
    return WRAPPED.address


@external
@view
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    return ON_RECEIVED


@external
@view
def onERC1155BatchReceived(operator: address, sender: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]) -> bytes4:
    return ON_BATCH_RECEIVED


@internal
def _split(condition: bytes32, amount: uint256):
    extcall WRAPPED.mint(self, amount)
    extcall TOKENS.splitPosition(WRAPPED.address, empty(bytes32), condition, [1, 2], amount)


@internal
def _unwrap(receiver: address, amount: uint256):
    extcall WRAPPED.burn(amount)
    assert extcall COLLATERAL.transfer(receiver, amount)


@internal
@view
def _require_oracle(market: bytes32):
    if self.getOracle[market] == empty(address):
        raw_revert(method_id("MarketNotPrepared()"))
    if self.getOracle[market] != msg.sender:
        raw_revert(method_id("OnlyOracle()"))


@internal
@pure
def _require_collateral(token: address):
    if token != COLLATERAL.address:
        raw_revert(method_id("UnexpectedCollateralToken()"))


@internal
@pure
def _market(id: bytes32) -> bytes32:
    return convert((convert(id, uint256) >> 8) << 8, bytes32)


@internal
@pure
def _question(market: bytes32, index: uint256) -> bytes32:
    return convert(convert(market, uint256) | index, bytes32)


@internal
@view
def _condition(question: bytes32) -> bytes32:
    return keccak256(concat(convert(self, bytes20), question, convert(2, bytes32)))


@internal
@pure
def _positions(condition: bytes32) -> DynArray[uint256, 2]:
    return [self._position(condition, 1), self._position(condition, 2)]


@internal
@pure
def _position(condition: bytes32, index_set: uint256) -> uint256:
    collection: bytes32 = keccak256(concat(condition, convert(index_set, bytes32)))
    return convert(keccak256(concat(convert(WRAPPED.address, bytes20), collection)), uint256)
