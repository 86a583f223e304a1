# pragma version 0.4.3
# @notice pUSD of the local chain: an ERC-20 of six decimals that its owner mints.

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256

name: public(constant(String[32])) = "Polymarket USD"
symbol: public(constant(String[8])) = "pUSD"
decimals: public(constant(uint8)) = 6

owner: public(address)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        if allowed < amount:
            raw_revert(method_id("InsufficientAllowance()"))
        self.allowance[sender][msg.sender] = unsafe_sub(allowed, amount)
    self._move(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)
    return True


@external
def mint(receiver: address, amount: uint256):
    if msg.sender != self.owner:
        raw_revert(method_id("Unauthorized()"))
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, amount=amount)


@external
def burn(amount: uint256):
    self._debit(msg.sender, amount)
    self.totalSupply -= amount
    log Transfer(sender=msg.sender, receiver=empty(address), amount=amount)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    self._debit(sender, amount)
    # The supply was added up with an overflow check, and no balance exceeds it.
    self.balanceOf[receiver] = unsafe_add(self.balanceOf[receiver], amount)
    log Transfer(sender=sender, receiver=receiver, amount=amount)


@internal
def _debit(account: address, amount: uint256):
    balance: uint256 = self.balanceOf[account]
    if balance < amount:
        raw_revert(method_id("InsufficientBalance()"))
    self.balanceOf[account] = unsafe_sub(balance, amount)
