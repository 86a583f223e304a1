# pragma version 0.4.3
# @notice The way in and out of protocol v2 on the local chain: pUSD into sets of positions, sets into pUSD, resolved positions into what
# they pay. Whoever merges or redeems has approved the router on the position manager.

interface Collateral:
    def transferFrom(sender: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Manager:
    def mint(receiver: address, condition: bytes31, amount: uint256): nonpayable
    def burn(owner: address, condition: bytes31, amount: uint256): nonpayable
    def redeem(owner: address, condition: bytes31, outcome: uint256, amount: uint256) -> uint256: nonpayable

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
MANAGER: constant(Manager) = Manager(0x006F54F7f9A22e0000CC2AB60031000000ae9fEF)


@external
def split(conditionId: bytes31, amount: uint256):
    assert extcall COLLATERAL.transferFrom(msg.sender, MANAGER.address, amount)
    extcall MANAGER.mint(msg.sender, conditionId, amount)
    log PositionSplit(stakeholder=msg.sender, conditionId=convert(conditionId, bytes32), amount=amount)


@external
def merge(conditionId: bytes31, amount: uint256):
    extcall MANAGER.burn(msg.sender, conditionId, amount)
    log PositionsMerge(stakeholder=msg.sender, conditionId=convert(conditionId, bytes32), amount=amount)


@external
def redeem(conditionId: bytes31, outcome: uint256, amount: uint256):
    payout: uint256 = extcall MANAGER.redeem(msg.sender, conditionId, outcome, amount)
    amounts: DynArray[uint256, 2] = [amount, 0] if outcome == 0 else [0, amount]
    log PayoutRedemption(redeemer=msg.sender, conditionId=convert(conditionId, bytes32), amounts=amounts, payout=payout)
