# pragma version 0.4.3
# @notice Stands where Polygon has a contract that this chain leaves out. A call to it fails: to an empty address it would succeed.


@external
@payable
def __default__():
    raw_revert(method_id("NotServedHere()"))
