# pragma version 0.4.3
# @notice An exchange of the local chain: settles signed orders that its operators match. Compiled three times, as exchange V2, its
# neg-risk twin and exchange V3: services/venue/node/compile.py sets the constants that differ.

interface Collateral:
    def balanceOf(account: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Tokens:
    def balanceOf(account: address, id: uint256) -> uint256: view
    def safeTransferFrom(sender: address, receiver: address, id: uint256, amount: uint256, data: Bytes[32]): nonpayable

interface Splitter:
    def splitPosition(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 2], amount: uint256): nonpayable
    def mergePositions(collateral: address, parent: bytes32, condition: bytes32, partition: DynArray[uint256, 2], amount: uint256): nonpayable
    def split(condition: bytes31, amount: uint256): nonpayable
    def merge(condition: bytes31, amount: uint256): nonpayable

# A nested signature of a deposit wallet takes 317 bytes, one by a session key 480.
MAX_SIGNATURE: constant(uint256) = 1024

struct Order:
    salt: uint256
    maker: address
    signer: address
    tokenId: uint256
    makerAmount: uint256
    takerAmount: uint256
    side: uint8
    signatureType: uint8
    timestamp: uint256
    metadata: bytes32
    builder: bytes32
    signature: Bytes[MAX_SIGNATURE]

struct OrderStatus:
    filled: bool
    remaining: uint248

struct Fill:
    order_hash: bytes32
    making: uint256
    taking: uint256

event OrderFilled:
    orderHash: indexed(bytes32)
    maker: indexed(address)
    taker: indexed(address)
    side: uint8
    tokenId: uint256
    makerAmountFilled: uint256
    takerAmountFilled: uint256
    fee: uint256
    builder: bytes32
    metadata: bytes32

event OrdersMatched:
    takerOrderHash: indexed(bytes32)
    takerOrderMaker: indexed(address)
    side: uint8
    tokenId: uint256
    makerAmountFilled: uint256
    takerAmountFilled: uint256

event OrderPreapproved:
    orderHash: indexed(bytes32)

event OrderPreapprovalInvalidated:
    orderHash: indexed(bytes32)

event FeeCharged:
    receiver: indexed(address)
    amount: uint256

event UserPaused:
    user: indexed(address)
    effectivePauseBlock: uint256

event UserUnpaused:
    user: indexed(address)

event TradingPaused:
    pauser: indexed(address)

event TradingUnpaused:
    pauser: indexed(address)

MAX_MAKERS: constant(uint256) = 32
BUY: constant(uint8) = 0
SELL: constant(uint8) = 1
EOA: constant(uint8) = 0
POLY_PROXY: constant(uint8) = 1
POLY_GNOSIS_SAFE: constant(uint8) = 2
POLY_1271: constant(uint8) = 3
BPS: constant(uint256) = 10_000
COLLATERAL: constant(Collateral) = Collateral(0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB)
TOKENS: constant(Tokens) = Tokens(0x4D97DCd97eC945f40cF65F87097ACe5EA0476045)
# Who turns money into sets of shares and back.
SPLITTER: constant(Splitter) = Splitter(0x4D97DCd97eC945f40cF65F87097ACe5EA0476045)
# What positions are made of: the collateral itself, or what the neg-risk adapter wraps it in.
BACKING: constant(address) = 0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB
# Whether a token is named by its condition's 31 bytes and an outcome byte, and not by a hash.
POSITION_IDS: constant(bool) = False
PROXY_FACTORY: constant(address) = 0xaB45c5A4B0c941a2F231C04C3f49182e1A254052
PROXY_CODE_HASH: constant(bytes32) = 0xd21df8dc65880a8606f09fe0ce3df9b8869287ab0b058be05aa9e8af6330a00b
SAFE_FACTORY: constant(address) = 0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b
SAFE_CODE_HASH: constant(bytes32) = 0x2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf
VALID_SIGNATURE: constant(bytes4) = 0x1626ba7e
DOMAIN_TYPEHASH: constant(bytes32) = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
NAME_HASH: constant(bytes32) = keccak256("Polymarket CTF Exchange")
VERSION_HASH: constant(bytes32) = keccak256("2")
ORDER_TYPEHASH: constant(bytes32) = keccak256("Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)")
# The largest s that is not the mirror image of another valid signature.
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81

# Written into the genesis block: see services/venue/node/genesis.py.
isAdmin: public(HashMap[address, bool])
isOperator: public(HashMap[address, bool])
getFeeReceiver: public(address)
getMaxFeeRate: public(uint256)
userPauseBlockInterval: public(uint256)

paused: public(bool)
userPausedBlockAt: public(HashMap[address, uint256])
# As the original packs it: bit 0 = filled, bits 8.. = remaining; 0 = never seen.
packed_status: HashMap[bytes32, uint256]
preapproved: HashMap[bytes32, bool]


@external
def matchOrders(
    conditionId: bytes32,
    takerOrder: Order,
    makerOrders: DynArray[Order, MAX_MAKERS],
    takerFillAmount: uint256,
    makerFillAmounts: DynArray[uint256, MAX_MAKERS],
    takerFeeAmount: uint256,
    makerFeeAmounts: DynArray[uint256, MAX_MAKERS],
):
    self._require_operator()
    if self.paused:
        raw_revert(method_id("Paused()"))
    count: uint256 = len(makerOrders)
    if count == 0:
        raw_revert(method_id("NoMakerOrders()"))
    if count != len(makerFillAmounts) or count != len(makerFeeAmounts):
        raw_revert(method_id("MismatchedArrayLengths()"))
    complement: uint256 = self._complement(conditionId, takerOrder.tokenId)
    taker: Fill = self._take(takerOrder, takerFillAmount, takerFeeAmount)
    direct: bool = True
    for index: uint256 in range(count, bound=MAX_MAKERS):
        if makerOrders[index].side == takerOrder.side:
            direct = False
            break
    if direct:
        if takerOrder.side == BUY:
            taker = self._buy_directly(takerOrder, taker, makerOrders, makerFillAmounts, makerFeeAmounts)
            if takerFeeAmount > 0:
                self._pay(takerOrder.maker, self.getFeeReceiver, takerFeeAmount)
                log FeeCharged(receiver=self.getFeeReceiver, amount=takerFeeAmount)
        else:
            taker = self._sell_directly(takerOrder, taker, makerOrders, makerFillAmounts, makerFeeAmounts)
            self._pay_out(takerOrder.maker, taker.taking, takerFeeAmount)
    else:
        taker = self._match_through(conditionId, complement, takerOrder, taker, makerOrders, makerFillAmounts, takerFeeAmount, makerFeeAmounts)
    self._log_filled(takerOrder, taker, self, takerFeeAmount)
    log OrdersMatched(
        takerOrderHash=taker.order_hash,
        takerOrderMaker=takerOrder.maker,
        side=takerOrder.side,
        tokenId=takerOrder.tokenId,
        makerAmountFilled=taker.making,
        takerAmountFilled=taker.taking,
    )


@internal
def _buy_directly(
    buyer: Order,
    asked: Fill,
    sellers: DynArray[Order, MAX_MAKERS],
    fills: DynArray[uint256, MAX_MAKERS],
    fees: DynArray[uint256, MAX_MAKERS],
) -> Fill:
    paid: uint256 = 0
    received: uint256 = 0
    for index: uint256 in range(len(sellers), bound=MAX_MAKERS):
        seller: Order = sellers[index]
        self._require_crossing(buyer, seller)
        fill: Fill = self._take(seller, fills[index], fees[index])
        self._require_covered(fees[index], fill.taking)
        extcall TOKENS.safeTransferFrom(seller.maker, buyer.maker, buyer.tokenId, fill.making, b"", skip_contract_check=True)
        self._pay(buyer.maker, seller.maker, unsafe_sub(fill.taking, fees[index]))
        if fees[index] > 0:
            self._pay(buyer.maker, self.getFeeReceiver, fees[index])
            log FeeCharged(receiver=self.getFeeReceiver, amount=fees[index])
        self._log_filled(seller, fill, buyer.maker, fees[index])
        paid += fill.taking
        received += fill.making
    self._require_within(asked, paid, received)
    return Fill(order_hash=asked.order_hash, making=paid, taking=received)


@internal
def _sell_directly(
    seller: Order,
    asked: Fill,
    buyers: DynArray[Order, MAX_MAKERS],
    fills: DynArray[uint256, MAX_MAKERS],
    fees: DynArray[uint256, MAX_MAKERS],
) -> Fill:
    given: uint256 = 0
    earned: uint256 = 0
    for index: uint256 in range(len(buyers), bound=MAX_MAKERS):
        buyer: Order = buyers[index]
        self._require_crossing(seller, buyer)
        fill: Fill = self._take(buyer, fills[index], fees[index])
        extcall TOKENS.safeTransferFrom(seller.maker, buyer.maker, seller.tokenId, fill.taking, b"", skip_contract_check=True)
        self._pay(buyer.maker, self, fill.making)
        if fees[index] > 0:
            self._pay(buyer.maker, self.getFeeReceiver, fees[index])
            log FeeCharged(receiver=self.getFeeReceiver, amount=fees[index])
        self._log_filled(buyer, fill, seller.maker, fees[index])
        given += fill.taking
        earned += fill.making
    self._require_within(asked, given, earned)
    return Fill(order_hash=asked.order_hash, making=given, taking=earned)


@internal
def _match_through(
    condition: bytes32,
    complement: uint256,
    taker: Order,
    asked: Fill,
    makers: DynArray[Order, MAX_MAKERS],
    fills: DynArray[uint256, MAX_MAKERS],
    taker_fee: uint256,
    fees: DynArray[uint256, MAX_MAKERS],
) -> Fill:
    self._collect(taker, asked.making)
    prepared: DynArray[Fill, MAX_MAKERS] = []
    minted: uint256 = 0
    merged: uint256 = 0
    for index: uint256 in range(len(makers), bound=MAX_MAKERS):
        maker: Order = makers[index]
        if maker.side != taker.side:
            self._require_crossing(taker, maker)
        else:
            self._require_crossing_complement(taker, maker, complement)
        fill: Fill = self._take(maker, fills[index], fees[index])
        self._collect(maker, fill.making)
        prepared.append(fill)
        if maker.side == taker.side:
            if maker.side == BUY:
                minted += fill.taking
            else:
                merged += fill.making
    if minted > 0:
        self._split(condition, minted)
    if merged > 0:
        self._merge(condition, merged)
    for index: uint256 in range(len(makers), bound=MAX_MAKERS):
        self._distribute(makers[index], prepared[index].taking, fees[index])
        self._log_filled(makers[index], prepared[index], taker.maker, fees[index])
    taking: uint256 = self._held(taker, False)
    if taking < asked.taking:
        raw_revert(method_id("TooLittleTokensReceived()"))
    self._distribute(taker, taking, taker_fee)
    left: uint256 = self._held(taker, True)
    if left > 0:
        self._give(taker.maker, taker.tokenId if taker.side == SELL else 0, left)
    return Fill(order_hash=asked.order_hash, making=asked.making - left, taking=taking)


@external
@view
def hashOrder(order: Order) -> bytes32:
    return self._hash(order)


@external
@view
def validateOrder(order: Order):
    order_hash: bytes32 = self._hash(order)
    if self.packed_status[order_hash] & 1 != 0:
        raw_revert(method_id("OrderAlreadyFilled()"))
    self._require_signed(order_hash, order)


@external
def preapproveOrder(order: Order):
    """
    @notice Let an order be filled without a signature, once its signature was good.
    """
    self._require_operator()
    order_hash: bytes32 = self._hash(order)
    self._require_signed(order_hash, order)
    self.preapproved[order_hash] = True
    log OrderPreapproved(orderHash=order_hash)


@external
def invalidatePreapprovedOrder(orderHash: bytes32):
    self._require_operator()
    self.preapproved[orderHash] = False
    log OrderPreapprovalInvalidated(orderHash=orderHash)


@external
@view
def domainSeparator() -> bytes32:
    return self._domain_separator()


@external
@view
def getOrderStatus(orderHash: bytes32) -> OrderStatus:
    return self._status(orderHash)


@external
@view
def orderStatus(orderHash: bytes32) -> OrderStatus:
    return self._status(orderHash)


@external
@view
def getCollateral() -> address:
    return COLLATERAL.address


@external
@view
def getCtf() -> address:
    return TOKENS.address


@external
@view
def isUserPaused(user: address) -> bool:
    return self._is_paused(user)


@external
def pauseUser():
    if self.userPausedBlockAt[msg.sender] != 0:
        raw_revert(method_id("UserAlreadyPaused()"))
    effective: uint256 = block.number + self.userPauseBlockInterval
    self.userPausedBlockAt[msg.sender] = effective
    log UserPaused(user=msg.sender, effectivePauseBlock=effective)


@external
def unpauseUser():
    self.userPausedBlockAt[msg.sender] = 0
    log UserUnpaused(user=msg.sender)


@external
def pauseTrading():
    self._require_admin()
    self.paused = True
    log TradingPaused(pauser=msg.sender)


@external
def unpauseTrading():
    self._require_admin()
    self.paused = False
    log TradingUnpaused(pauser=msg.sender)


@external
def addOperator(operator: address):
    self._require_admin()
    self.isOperator[operator] = True


@external
def removeOperator(operator: address):
    self._require_admin()
    self.isOperator[operator] = False


@external
def setMaxFeeRate(rate: uint256):
    self._require_admin()
    if rate >= BPS:
        raw_revert(method_id("MaxFeeRateExceedsCeiling()"))
    self.getMaxFeeRate = rate


@external
def setUserPauseBlockInterval(interval: uint256):
    self._require_admin()
    self.userPauseBlockInterval = interval


@external
def setFeeReceiver(receiver: address):
    self._require_admin()
    self.getFeeReceiver = receiver


@external
@view
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    return ON_RECEIVED


@external
@view
def onERC1155BatchReceived(operator: address, sender: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]) -> bytes4:
    return ON_BATCH_RECEIVED


@internal
def _take(order: Order, making: uint256, fee: uint256) -> Fill:
    if order.makerAmount == 0:
        raw_revert(method_id("ZeroMakerAmount()"))
    order_hash: bytes32 = self._hash(order)
    self._require_signed(order_hash, order)
    packed: uint256 = self.packed_status[order_hash]
    if packed & 1 != 0:
        raw_revert(method_id("OrderAlreadyFilled()"))
    remaining: uint256 = packed >> 8
    if remaining == 0:
        remaining = order.makerAmount
    if making > remaining:
        raw_revert(method_id("MakingGtRemaining()"))
    remaining = unsafe_sub(remaining, making)
    self.packed_status[order_hash] = (remaining << 8) | convert(remaining == 0, uint256)
    taking: uint256 = making * order.takerAmount // order.makerAmount
    if fee > 0:
        rate: uint256 = self.getMaxFeeRate
        cash: uint256 = making if order.side == BUY else taking
        if rate != 0 and fee > cash * rate // BPS:
            raw_revert(method_id("FeeExceedsMaxRate()"))
    return Fill(order_hash=order_hash, making=making, taking=taking)


@internal
def _split(condition: bytes32, amount: uint256):
    if POSITION_IDS:
        extcall SPLITTER.split(convert(condition, bytes31), amount, skip_contract_check=True)
    else:
        extcall SPLITTER.splitPosition(COLLATERAL.address, empty(bytes32), condition, [1, 2], amount, skip_contract_check=True)


@internal
def _merge(condition: bytes32, amount: uint256):
    if POSITION_IDS:
        extcall SPLITTER.merge(convert(condition, bytes31), amount, skip_contract_check=True)
    else:
        extcall SPLITTER.mergePositions(COLLATERAL.address, empty(bytes32), condition, [1, 2], amount, skip_contract_check=True)


@internal
def _distribute(order: Order, taking: uint256, fee: uint256):
    if order.side == SELL:
        self._pay_out(order.maker, taking, fee)
    else:
        self._give(order.maker, order.tokenId, taking)
        if fee > 0:
            self._pay(order.maker, self.getFeeReceiver, fee)
            log FeeCharged(receiver=self.getFeeReceiver, amount=fee)


@internal
def _pay_out(seller: address, proceeds: uint256, fee: uint256):
    self._require_covered(fee, proceeds)
    if fee > 0:
        self._give(self.getFeeReceiver, 0, fee)
        log FeeCharged(receiver=self.getFeeReceiver, amount=fee)
    self._give(seller, 0, unsafe_sub(proceeds, fee))


@internal
def _collect(order: Order, amount: uint256):
    if order.side == BUY:
        self._pay(order.maker, self, amount)
    else:
        extcall TOKENS.safeTransferFrom(order.maker, self, order.tokenId, amount, b"", skip_contract_check=True)


@internal
def _give(receiver: address, token: uint256, amount: uint256):
    if token == 0:
        assert extcall COLLATERAL.transfer(receiver, amount, skip_contract_check=True)
    else:
        extcall TOKENS.safeTransferFrom(self, receiver, token, amount, b"", skip_contract_check=True)


@internal
def _pay(payer: address, receiver: address, amount: uint256):
    assert extcall COLLATERAL.transferFrom(payer, receiver, amount, skip_contract_check=True)


@internal
@view
def _held(order: Order, making: bool) -> uint256:
    if (order.side == BUY) == making:
        return staticcall COLLATERAL.balanceOf(self, skip_contract_check=True)
    return staticcall TOKENS.balanceOf(self, order.tokenId, skip_contract_check=True)


@internal
def _log_filled(order: Order, fill: Fill, counterparty: address, fee: uint256):
    log OrderFilled(
        orderHash=fill.order_hash,
        maker=order.maker,
        taker=counterparty,
        side=order.side,
        tokenId=order.tokenId,
        makerAmountFilled=fill.making,
        takerAmountFilled=fill.taking,
        fee=fee,
        builder=order.builder,
        metadata=order.metadata,
    )


@internal
@pure
def _complement(condition: bytes32, token: uint256) -> uint256:
    """The other token of the condition; refuses a token that is neither of the two."""
    yes: uint256 = self._position(condition, 1)
    no: uint256 = self._position(condition, 2)
    if token == yes:
        return no
    if token != no:
        raw_revert(method_id("MismatchedTokenIds()"))
    return yes


@internal
@pure
def _position(condition: bytes32, index_set: uint256) -> uint256:
    if POSITION_IDS:
        return convert(condition, uint256) | unsafe_sub(index_set, 1)
    collection: bytes32 = keccak256(concat(condition, convert(index_set, bytes32)))
    return convert(keccak256(concat(convert(BACKING, bytes20), collection)), uint256)


@internal
@pure
def _require_crossing(taker: Order, maker: Order):
    if taker.tokenId != maker.tokenId:
        raw_revert(method_id("MismatchedTokenIds()"))
    if taker.makerAmount * maker.makerAmount < taker.takerAmount * maker.takerAmount:
        raw_revert(method_id("NotCrossing()"))


@internal
@pure
def _require_crossing_complement(taker: Order, maker: Order, complement: uint256):
    if maker.tokenId != complement:
        raw_revert(method_id("MismatchedTokenIds()"))
    first: uint256 = taker.makerAmount * maker.takerAmount
    second: uint256 = maker.makerAmount * taker.takerAmount
    if taker.side == BUY:
        if first + second < taker.takerAmount * maker.takerAmount:
            raw_revert(method_id("NotCrossing()"))
    elif first + second > taker.makerAmount * maker.makerAmount:
        raw_revert(method_id("NotCrossing()"))


@internal
@pure
def _require_within(asked: Fill, made: uint256, taken: uint256):
    if made > asked.making:
        raw_revert(method_id("ComplementaryFillExceedsTakerFill()"))
    if taken < asked.taking:
        raw_revert(method_id("TooLittleTokensReceived()"))


@internal
@pure
def _require_covered(fee: uint256, proceeds: uint256):
    if fee > proceeds:
        raw_revert(method_id("FeeExceedsProceeds()"))


@internal
@view
def _require_signed(order_hash: bytes32, order: Order):
    if order.side > SELL or not self._is_signed(order_hash, order):
        raw_revert(method_id("InvalidSignature()"))
    if self._is_paused(order.maker):
        raw_revert(method_id("UserIsPaused()"))


@internal
@view
def _is_signed(order_hash: bytes32, order: Order) -> bool:
    """
    @notice Whether the order's maker wants it: as the owner of its key, of the proxy or the Safe that is derived from it, as a
    contract that says so itself, or because an operator saw the signature before.
    """
    if len(order.signature) == 0:
        return self.preapproved[order_hash]
    if order.signatureType == POLY_1271:
        return order.signer == order.maker and self._is_accepted(order.maker, order_hash, order.signature)
    if not self._is_signed_by(order.signer, order_hash, order.signature):
        return False
    if order.signatureType == EOA:
        return order.signer == order.maker
    if order.signatureType == POLY_PROXY:
        return order.maker == self._created(PROXY_FACTORY, keccak256(concat(convert(order.signer, bytes20), b"")), PROXY_CODE_HASH)
    if order.signatureType == POLY_GNOSIS_SAFE:
        return order.maker == self._created(SAFE_FACTORY, keccak256(abi_encode(order.signer)), SAFE_CODE_HASH)
    return False


@internal
@view
def _is_signed_by(signer: address, digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> bool:
    if len(signature) != 65:
        return False
    s: uint256 = extract32(signature, 32, output_type=uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    recovered: address = ecrecover(digest, v, extract32(signature, 0, output_type=uint256), s)
    return s <= HALF_ORDER and recovered != empty(address) and recovered == signer


@internal
@view
def _is_accepted(wallet: address, digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> bool:
    """
    @notice ERC-1271; a wallet without code, or one that reverts, accepts nothing.
    """
    done: bool = False
    answer: Bytes[32] = b""
    asked: Bytes[MAX_SIGNATURE + 132] = abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)"))
    done, answer = raw_call(wallet, asked, max_outsize=32, is_static_call=True, revert_on_failure=False)
    return done and len(answer) == 32 and convert(slice(answer, 0, 4), bytes4) == VALID_SIGNATURE


@internal
@pure
def _created(factory: address, salt: bytes32, code_hash: bytes32) -> address:
    """
    @notice Where CREATE2 puts a contract.
    """
    digest: bytes32 = keccak256(concat(0xff, convert(factory, bytes20), salt, code_hash))
    return convert(convert(digest, uint256) & convert(max_value(uint160), uint256), address)


@internal
@view
def _is_paused(user: address) -> bool:
    at: uint256 = self.userPausedBlockAt[user]
    return at > 0 and block.number >= at


@internal
@view
def _status(order_hash: bytes32) -> OrderStatus:
    packed: uint256 = self.packed_status[order_hash]
    return OrderStatus(filled=packed & 1 != 0, remaining=convert(packed >> 8, uint248))


@internal
@view
def _hash(order: Order) -> bytes32:
    struct_hash: bytes32 = keccak256(
        abi_encode(
            ORDER_TYPEHASH,
            order.salt,
            order.maker,
            order.signer,
            order.tokenId,
            order.makerAmount,
            order.takerAmount,
            order.side,
            order.signatureType,
            order.timestamp,
            order.metadata,
            order.builder,
        )
    )
    return keccak256(concat(b"\x19\x01", self._domain_separator(), struct_hash))


@internal
@view
def _domain_separator() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, chain.id, self))


@internal
@view
def _require_operator():
    if not self.isOperator[msg.sender]:
        raw_revert(method_id("NotOperator()"))


@internal
@view
def _require_admin():
    if not self.isAdmin[msg.sender]:
        raw_revert(method_id("NotAdmin()"))
