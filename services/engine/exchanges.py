"""Whether the exchanges on chain name orders as we do: their domain, its version and the order's fields are those on our list."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side
from services.common.polymarket.order import Contract, build_order, order_hash
from services.common.ports.chain import Chain, ChainUnavailable
from services.common.ports.clock import Clock
from services.engine.warm import Warm

log = structlog.get_logger()

KEPT = timedelta(seconds=5)
JUDGED_EVERY_S = 300.0
NOBODY = "0x" + "0" * 39 + "1"


class Exchanges:
    """One judgement of all exchanges: each is asked for the id of an order that nobody will ever sign."""

    def __init__(self, chain: Chain, contracts: Sequence[Contract], clock: Clock) -> None:
        self._chain = chain
        self._contracts = contracts
        self._clock = clock
        self._right_at: float | None = None
        self.known = Warm(self._judge, KEPT, clock)

    async def _judge(self) -> bool | None:
        """None where the chain does not say. A contract that is not there takes no orders, so it is none to judge."""
        now = self._clock.monotonic()
        if self._right_at is not None and now - self._right_at < JUDGED_EVERY_S:
            return True
        orders = [_probe(contract) for contract in self._contracts]
        try:
            told = await asyncio.gather(*(self._chain.order_hash(order) for order in orders))
        except ChainUnavailable as error:
            log.warning("exchanges_unknown", text=str(error)[:200])
            return None
        wrong = [o.exchange for o, known in zip(orders, told, strict=True) if known not in {None, order_hash(o)}]
        if wrong:
            log.error("exchange_of_another_version", exchanges=wrong)
        self._right_at = None if wrong else now
        return not wrong


def _probe(contract: Contract) -> OrderFields:
    return build_order(
        contract,
        maker=NOBODY,
        signer=NOBODY,
        signature_type=0,
        token_id="1",
        side=Side.BUY,
        shares_micros=1_000_000,
        limit_micros=500_000,
        tick_micros=10_000,
        salt=1,
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
