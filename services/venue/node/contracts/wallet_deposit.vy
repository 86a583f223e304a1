# pragma version 0.4.3
# @notice A deposit wallet of the local chain: its owner signs batches of calls, and contracts ask it for his signatures.

struct Call:
    target: address
    value: uint256
    data: Bytes[1024]

struct Batch:
    wallet: address
    nonce: uint256
    deadline: uint256
    calls: DynArray[Call, 32]

event WalletDeployed:
    owner: indexed(address)

event BatchExecuted:
    nonce: indexed(uint256)

VALID: constant(bytes4) = 0x1626ba7e
INVALID: constant(bytes4) = 0xffffffff
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81
RELAYER: constant(address) = 0x000000000000000000000000000000000e1a7E00
DOMAIN_TYPEHASH: constant(bytes32) = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
NAME_HASH: constant(bytes32) = keccak256("DepositWallet")
VERSION_HASH: constant(bytes32) = keccak256("1")
CALL_TYPEHASH: constant(bytes32) = keccak256("Call(address target,uint256 value,bytes data)")
BATCH_TYPEHASH: constant(bytes32) = keccak256("Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls)Call(address target,uint256 value,bytes data)")
# The largest s that is not the mirror image of another valid signature.
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

owner: public(address)
nonce: public(uint256)


@external
def initialize(owner: address):
    """Called once, by whoever put this code here."""
    if msg.sender != RELAYER or self.owner != empty(address):
        raw_revert(method_id("AlreadyInitialized()"))
    self.owner = owner
    log WalletDeployed(owner=owner)


@external
def execute(batch: Batch, signature: Bytes[65]):
    if batch.wallet != self:
        raw_revert(method_id("WrongWallet()"))
    if batch.nonce != self.nonce:
        raw_revert(method_id("InvalidNonce()"))
    if block.timestamp > batch.deadline:
        raw_revert(method_id("DeadlineExpired()"))
    if self._signer(self._batch_hash(batch), signature) != self.owner:
        raw_revert(method_id("InvalidSignature()"))
    self.nonce = batch.nonce + 1
    for call: Call in batch.calls:
        raw_call(call.target, call.data, value=call.value)
    log BatchExecuted(nonce=batch.nonce)


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    """ERC-1271, for signatures that are nested as ERC-7739 says: what was signed names this wallet and the contents' type."""
    size: uint256 = len(signature)
    if size < 131:
        return INVALID
    kind_size: uint256 = convert(slice(signature, size - 2, 2), uint256)
    if size != 131 + kind_size:
        return INVALID
    domain: bytes32 = extract32(signature, 65)
    contents: bytes32 = extract32(signature, 97)
    if keccak256(concat(b"\x19\x01", domain, contents)) != digest:
        return INVALID
    kind: Bytes[1024] = slice(signature, 129, kind_size)
    struct_hash: bytes32 = keccak256(
        abi_encode(self._nested_type(kind), contents, NAME_HASH, VERSION_HASH, chain.id, self, empty(bytes32))
    )
    signed: bytes32 = keccak256(concat(b"\x19\x01", domain, struct_hash))
    recovered: address = self._signer(signed, slice(signature, 0, 65))
    return VALID if recovered != empty(address) and recovered == self.owner else INVALID


@external
@view
def onERC1155Received(operator: address, sender: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    return ON_RECEIVED


@external
@view
def onERC1155BatchReceived(operator: address, sender: address, ids: DynArray[uint256, 256], amounts: DynArray[uint256, 256], data: Bytes[1024]) -> bytes4:
    return ON_BATCH_RECEIVED


@external
@payable
def __default__():
    pass


@internal
@view
def _batch_hash(batch: Batch) -> bytes32:
    hashes: DynArray[bytes32, 32] = []
    for call: Call in batch.calls:
        hashes.append(keccak256(abi_encode(CALL_TYPEHASH, call.target, call.value, keccak256(call.data))))
    # The items alone, without the offset and the length before them.
    packed: Bytes[1088] = abi_encode(hashes)
    calls_hash: bytes32 = keccak256(slice(packed, 64, 32 * len(hashes)))
    struct_hash: bytes32 = keccak256(abi_encode(BATCH_TYPEHASH, batch.wallet, batch.nonce, batch.deadline, calls_hash))
    domain: bytes32 = keccak256(abi_encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, chain.id, self))
    return keccak256(concat(b"\x19\x01", domain, struct_hash))


@internal
@pure
def _nested_type(kind: Bytes[1024]) -> bytes32:
    """The hash of TypedDataSign over contents of this type, whose name ends at its first bracket."""
    name_size: uint256 = 0
    for index: uint256 in range(len(kind), bound=1024):
        if convert(slice(kind, index, 1), uint256) == 40:
            name_size = index
            break
    return keccak256(
        concat(
            b"TypedDataSign(",
            slice(kind, 0, name_size),
            b" contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)",
            kind,
        )
    )


@internal
@pure
def _signer(digest: bytes32, signature: Bytes[65]) -> address:
    if len(signature) != 65:
        return empty(address)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    if s > HALF_ORDER:
        return empty(address)
    return ecrecover(digest, convert(slice(signature, 64, 1), uint256), extract32(signature, 0, output_type=uint256), s)
