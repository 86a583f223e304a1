"""The venue's side of a replay, as the local venue would log it: what the books are held against in the end."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from services.cli.replay.tape import Played
from services.common.chain.memory import MemoryChain
from services.common.domain.intent import Intent, Outcome
from services.common.polymarket.memory import MemoryClob, MemoryMarkets
from services.common.ports.chain import FillLog
from services.common.ports.clock import Clock
from services.common.ports.venue import Answer

Line = dict[str, Any]


class LoggedClob(MemoryClob):
    """The CLOB in memory, which logs every order as it arrives."""

    def __init__(
        self, wallet: str, chain: MemoryChain, markets: MemoryMarkets, clock: Clock, settles_after: timedelta
    ) -> None:
        super().__init__(wallet, chain, markets, clock, settles_after)
        self._arrivals = clock
        self.lines: list[Line] = []

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        answer, fields = await super().post(intent, leave_by), intent.fields
        self.lines.append(
            {
                "kind": "order_received",
                "hash": intent.order_hash,
                "maker": fields.maker,
                "token": fields.token_id,
                "side": str(fields.side),
                "at_ms": _ms(self._arrivals.now()),
                "outcome": "accepted" if answer.outcome is Outcome.ACKED else str(answer.outcome),
            }
        )
        return answer


def leader_fill(played: Played) -> Line:
    """A fill of the recording."""
    trade = played.trade
    return {
        "kind": "leader_fill",
        "wallet": trade.leader,
        "tx_hash": trade.tx_hash,
        "order_hash": trade.order_hash,
        "token": trade.token_id,
        "side": str(trade.side),
        "size_micros": trade.shares_micros,
        "usdc_micros": trade.usdc_micros,
        "mined_at_ms": _ms(played.at),
    }


def wallet_fills(logs: tuple[FillLog, ...]) -> Iterator[Line]:
    """What the chain says that our orders have filled."""
    for log in logs:
        fill = log.fill
        yield {
            "kind": "wallet_fill",
            "wallet": fill.maker,
            "order_hash": fill.order_hash,
            "token": fill.token_id,
            "side": str(fill.side),
            "size_micros": fill.shares_micros,
            "usdc_micros": fill.usdc_micros,
            "fee_micros": fill.fee,
            "at_ms": _ms(log.block_at) if log.block_at else 0,
        }


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
