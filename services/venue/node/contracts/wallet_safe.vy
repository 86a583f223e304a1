# pragma version 0.4.3
# @notice A Safe of the local chain with one owner, who signs every transaction that it makes.

event SafeSetup:
    initiator: indexed(address)
    owner: indexed(address)

event ExecutionSuccess:
    txHash: bytes32
    payment: uint256

CALL: constant(uint8) = 0
DELEGATECALL: constant(uint8) = 1
RELAYER: constant(address) = 0x000000000000000000000000000000000e1a7E00
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81
DOMAIN_TYPEHASH: constant(bytes32) = keccak256("EIP712Domain(uint256 chainId,address verifyingContract)")
SAFE_TX_TYPEHASH: constant(bytes32) = keccak256("SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)")

owner: address
nonce: public(uint256)


@external
def initialize(owner: address):
    """Called once, by whoever put this code here."""
    assert msg.sender == RELAYER and self.owner == empty(address), "GS200"
    self.owner = owner
    log SafeSetup(initiator=msg.sender, owner=owner)


@external
@payable
def execTransaction(
    to: address,
    amount: uint256,
    data: Bytes[32768],
    operation: uint8,
    safeTxGas: uint256,
    baseGas: uint256,
    gasPrice: uint256,
    gasToken: address,
    refundReceiver: address,
    signatures: Bytes[65],
) -> bool:
    struct_hash: bytes32 = keccak256(
        abi_encode(
            SAFE_TX_TYPEHASH,
            to,
            amount,
            keccak256(data),
            operation,
            safeTxGas,
            baseGas,
            gasPrice,
            gasToken,
            refundReceiver,
            self.nonce,
        )
    )
    tx_hash: bytes32 = keccak256(concat(b"\x19\x01", self._domain_separator(), struct_hash))
    assert self.owner != empty(address) and self._signer(tx_hash, signatures) == self.owner, "GS026"
    self.nonce += 1
    done: bool = False
    if operation == CALL:
        done = raw_call(to, data, value=amount, revert_on_failure=False)
    elif operation == DELEGATECALL:
        done = raw_call(to, data, is_delegate_call=True, revert_on_failure=False)
    assert done, "GS013"
    log ExecutionSuccess(txHash=tx_hash, payment=0)
    return True


@external
@view
def getOwners() -> DynArray[address, 1]:
    return [self.owner]


@external
@view
def isOwner(owner: address) -> bool:
    return owner != empty(address) and owner == self.owner


@external
@view
def getThreshold() -> uint256:
    return 1


@external
@view
def domainSeparator() -> bytes32:
    return self._domain_separator()


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
def _domain_separator() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPEHASH, chain.id, self))


@internal
@pure
def _signer(digest: bytes32, signature: Bytes[65]) -> address:
    """Whose signature it is: of the hash itself, or, where v is 31 or 32, of the message that a wallet shows for it."""
    if len(signature) != 65:
        return empty(address)
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if v > 30:
        return ecrecover(keccak256(concat(b"\x19Ethereum Signed Message:\n32", digest)), v - 4, r, s)
    return ecrecover(digest, v, r, s)
