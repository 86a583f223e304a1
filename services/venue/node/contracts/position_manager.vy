# pragma version 0.4.3
# @notice Positions of protocol v2 on the local chain: an ERC-1155 whose ids are a condition's 31 bytes and an outcome byte. Sets are made
# and unmade by the router alone, which leaves the collateral here; nobody is called back when shares come into being.

interface Collateral:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable

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

event ConditionPrepared:
    conditionId: indexed(bytes32)
    oracle: indexed(address)

event ConditionResolved:
    conditionId: indexed(bytes32)
    oracle: indexed(address)
    payoutNumerators: DynArray[uint256, 2]

COLLATERAL: constant(Collateral) = Collateral(0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB)
ROUTER: constant(address) = 0x12121212006e4CD160D18e3f00711DA5c3372600
# ERC-165 ids of ERC-165 and ERC-1155.
SUPPORTED: constant(bytes4[2]) = [0x01ffc9a7, 0xd9b67a26]
# The bits of an id that are always zero.
RESERVED: constant(uint256) = 20282409603651670422847739658240

balanceOf: public(HashMap[address, HashMap[uint256, uint256]])
isApprovedForAll: public(HashMap[address, HashMap[address, bool]])
# Conditions are 31 bytes, kept from the left with a zero byte behind them, as their first position is.
getOracle: public(HashMap[bytes32, address])
payoutNumerators: public(HashMap[bytes32, uint256[2]])
payoutDenominator: public(HashMap[bytes32, uint256])


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    return interface_id in SUPPORTED


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
    if receiver.is_contract:
        answer: bytes4 = extcall Receiver(receiver).onERC1155BatchReceived(msg.sender, sender, ids, amounts, data)
        self._require_accepted(answer == method_id("onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)", output_type=bytes4))


@external
def prepareCondition(conditionId: bytes31):
    """
    @notice Open a condition that the caller will resolve.
    """
    condition: bytes32 = convert(conditionId, bytes32)
    if convert(condition, uint256) & RESERVED != 0 or not convert(slice(condition, 0, 1), uint256) in [1, 2]:
        raw_revert(method_id("InvalidConditionId()"))
    if self.getOracle[condition] != empty(address):
        raw_revert(method_id("ConditionAlreadyPrepared()"))
    self.getOracle[condition] = msg.sender
    log ConditionPrepared(conditionId=condition, oracle=msg.sender)


@external
def reportPayouts(conditionId: bytes31, payouts: uint256[2]):
    condition: bytes32 = convert(conditionId, bytes32)
    self._require_prepared(condition)
    if msg.sender != self.getOracle[condition]:
        raw_revert(method_id("OnlyOracle()"))
    if self.payoutDenominator[condition] != 0:
        raw_revert(method_id("PayoutAlreadyReported()"))
    if payouts[0] + payouts[1] == 0:
        raw_revert(method_id("PayoutIsAllZeroes()"))
    self.payoutNumerators[condition] = payouts
    self.payoutDenominator[condition] = payouts[0] + payouts[1]
    log ConditionResolved(conditionId=condition, oracle=msg.sender, payoutNumerators=[payouts[0], payouts[1]])


@external
def mint(receiver: address, conditionId: bytes31, amount: uint256):
    """
    @notice Give the receiver a set; its collateral has been left here.
    """
    self._require_router()
    condition: bytes32 = convert(conditionId, bytes32)
    self._require_prepared(condition)
    ids: DynArray[uint256, 256] = self._positions(condition)
    for id: uint256 in ids:
        self.balanceOf[receiver][id] += amount
    log TransferBatch(operator=msg.sender, sender=empty(address), receiver=receiver, ids=ids, amounts=[amount, amount])


@external
def burn(owner: address, conditionId: bytes31, amount: uint256):
    """
    @notice Take a set, and give its owner the collateral back.
    """
    self._require_router()
    self._require_approved(owner, msg.sender)
    ids: DynArray[uint256, 256] = self._positions(convert(conditionId, bytes32))
    for id: uint256 in ids:
        self._debit(owner, id, amount)
    log TransferBatch(operator=msg.sender, sender=owner, receiver=empty(address), ids=ids, amounts=[amount, amount])
    assert extcall COLLATERAL.transfer(owner, amount)


@external
def redeem(owner: address, conditionId: bytes31, outcome: uint256, amount: uint256) -> uint256:
    """
    @notice Take shares of one outcome of a resolved condition, and give their owner what they pay: nothing, if it lost.
    """
    self._require_router()
    self._require_approved(owner, msg.sender)
    condition: bytes32 = convert(conditionId, bytes32)
    if outcome > 1:
        raw_revert(method_id("InvalidOutcome()"))
    denominator: uint256 = self.payoutDenominator[condition]
    if denominator == 0:
        raw_revert(method_id("PayoutNotReported()"))
    id: uint256 = convert(condition, uint256) | outcome
    self._debit(owner, id, amount)
    log TransferSingle(operator=msg.sender, sender=owner, receiver=empty(address), id=id, amount=amount)
    payout: uint256 = amount * self.payoutNumerators[condition][outcome] // denominator
    if payout > 0:
        assert extcall COLLATERAL.transfer(owner, payout)
    return payout


@internal
@pure
def _positions(condition: bytes32) -> DynArray[uint256, 256]:
    first: uint256 = convert(condition, uint256)
    return [first, first | 1]


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
@view
def _require_router():
    if msg.sender != ROUTER:
        raw_revert(method_id("OnlyRouter()"))


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
    if self.getOracle[condition] == empty(address):
        raw_revert(method_id("ConditionNotPrepared()"))
