"""Waiting for the receipt that a hint speaks of: the receipt is the trade."""

from datetime import timedelta

from services.common.ports.chain import Chain, Receipt
from services.common.ports.clock import Clock

FIRST_PAUSE = timedelta(milliseconds=50)
LONGEST_PAUSE = timedelta(seconds=2)


async def mined(chain: Chain, clock: Clock, tx_hash: str, patience: timedelta) -> Receipt | None:
    """The receipt, as soon as the transaction is mined; None when it is not within `patience`. Raises `ChainUnavailable`."""
    give_up = clock.monotonic() + patience.total_seconds()
    pause = FIRST_PAUSE
    while (receipt := await chain.receipt(tx_hash)) is None:
        if clock.monotonic() >= give_up:
            return None
        await clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    return receipt
