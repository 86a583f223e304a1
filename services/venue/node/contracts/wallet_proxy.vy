# pragma version 0.4.3
# @notice A proxy wallet of the local chain: its owner signs calls as the relay hub words them.

struct Call:
    typeCode: uint8
    to: address
    value: uint256
    data: Bytes[1024]

event ProxyDeployed:
    owner: indexed(address)

CALL: constant(uint8) = 1
PROXY: constant(bytes4) = method_id("proxy((uint8,address,uint256,bytes)[])", output_type=bytes4)
FACTORY: constant(address) = 0xaB45c5A4B0c941a2F231C04C3f49182e1A254052
RELAY_HUB: constant(address) = 0xD216153c06E857cD7f72665E0aF1d7D82172F494
RELAYER: constant(address) = 0x000000000000000000000000000000000e1a7E00
ON_RECEIVED: constant(bytes4) = 0xf23a6e61
ON_BATCH_RECEIVED: constant(bytes4) = 0xbc197c81
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
    log ProxyDeployed(owner=owner)


@external
def relay(data: Bytes[40960], fee: uint256, gas_price: uint256, gas_limit: uint256, nonce: uint256, signature: Bytes[65]):
    """Runs `data`, a call of the factory's `proxy`, that the owner has signed for this relayer."""
    if nonce != self.nonce:
        raw_revert(method_id("InvalidNonce()"))
    signed: bytes32 = keccak256(
        concat(
            b"rlx:",
            convert(self.owner, bytes20),
            convert(FACTORY, bytes20),
            data,
            convert(fee, bytes32),
            convert(gas_price, bytes32),
            convert(gas_limit, bytes32),
            convert(nonce, bytes32),
            convert(RELAY_HUB, bytes20),
            convert(RELAYER, bytes20),
        )
    )
    if self.owner == empty(address) or self._signer(signed, signature) != self.owner:
        raw_revert(method_id("InvalidSignature()"))
    if convert(slice(data, 0, 4), bytes4) != PROXY:
        raw_revert(method_id("UnknownCall()"))
    self.nonce = nonce + 1
    calls: DynArray[Call, 32] = abi_decode(slice(data, 4, len(data) - 4), DynArray[Call, 32])
    for call: Call in calls:
        if call.typeCode != CALL:
            raw_revert(method_id("UnknownCall()"))
        raw_call(call.to, call.data, value=call.value)


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
@pure
def _signer(digest: bytes32, signature: Bytes[65]) -> address:
    """Who signed the message that a wallet shows for this hash."""
    if len(signature) != 65:
        return empty(address)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    if s > HALF_ORDER:
        return empty(address)
    shown: bytes32 = keccak256(concat(b"\x19Ethereum Signed Message:\n32", digest))
    return ecrecover(shown, convert(slice(signature, 64, 1), uint256), extract32(signature, 0, output_type=uint256), s)
