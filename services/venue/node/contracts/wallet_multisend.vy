# pragma version 0.4.3
# @notice Several calls in one, for Safes that run this code as their own.


@external
@payable
def multiSend(transactions: Bytes[32768]):
    """Packed one behind the other: operation (1 byte, 0 for a call), target (20), value (32), length (32), data."""
    size: uint256 = len(transactions)
    at: uint256 = 0
    for _: uint256 in range(64):
        if at >= size:
            break
        assert at + 85 <= size, "cut"
        assert convert(slice(transactions, at, 1), uint256) == 0, "calls alone"
        target: uint256 = extract32(transactions, at + 1, output_type=uint256) >> 96
        value: uint256 = extract32(transactions, at + 21, output_type=uint256)
        length: uint256 = extract32(transactions, at + 53, output_type=uint256)
        raw_call(convert(target, address), slice(transactions, at + 85, length), value=value)
        at += 85 + length
    assert at >= size, "too many"
