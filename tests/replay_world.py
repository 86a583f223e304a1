"""Replays for tests: histories of a few rows, and everything that a replay leaves behind."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from services.cli.replay.clock import VirtualLoop
from services.cli.replay.drive import Ended, play
from services.cli.replay.model import Model
from services.cli.replay.report import Line, Report, report
from services.cli.replay.tape import merged, record
from services.common.config_file import PolicyFile, read_policy
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.market import Side
from services.common.polymarket.parse.activity import ActivityRow
from services.common.polymarket.parse.history import read_history
from services.common.ports.chain import FillLog
from tests import recordings

EPOCH = 1_774_423_800
"""A second of 2026-03-25; rows count theirs from it."""

LEADER, OTHER_LEADER = "0x" + "1" * 40, "0x" + "2" * 40
YES, NO = "71", "72"
SHARE = DOLLAR = 1_000_000
EXAMPLE = Path(__file__).parents[1] / "examples" / "replay_policy.toml"
MAIN = ("leader_0xe00740bc_trades_v1",)
TWO = ("leader_0xe1df720a_activity_v1", "leader_0x81514a78_activity_v1")
GENEROUS = {
    "max_order_usdc": 5_000,
    "max_market_usdc": 50_000,
    "max_event_usdc": 50_000,
    "max_leader_day_usdc": 100_000,
    "max_exposure_bps": 10_000,
    "max_repetitions": 1_000,
}
ONE_TO_ONE = {"ratio_bps": 10_000, "max_trade_usdc": 5_000, "max_market_usdc": 50_000, "max_day_usdc": 100_000}

_numbers = iter(range(1, 10**9))


def a_row(side: str = "BUY", shares: float = 20, second: int = 0, price: float = 0.5, **changes: Any) -> dict[str, Any]:
    """A row of version 1, in a transaction of its own."""
    row = {
        "proxyWallet": LEADER,
        "timestamp": EPOCH + second,
        "conditionId": "0x" + "c" * 64,
        "type": "TRADE",
        "size": shares,
        "usdcSize": shares * price,
        "transactionHash": f"0x{next(_numbers):064x}",
        "price": price,
        "asset": YES,
        "side": side,
        "outcomeIndex": 0,
        "title": "Rain?",
        "slug": "rain",
        "icon": "",
        "eventSlug": "weather",
        "outcome": "Yes",
    }
    return row | changes


def a_redemption(second: int, **changes: Any) -> dict[str, Any]:
    """A leader's redemption: the market is over."""
    return a_row("", 20, second, 0, type="REDEEM", asset="", outcomeIndex=999, **changes)


def rows(*raw: dict[str, Any]) -> tuple[ActivityRow, ...]:
    """Rows as a file's are read."""
    return read_history(json.dumps(raw).encode())


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay that has ended."""

    ended: Ended
    report: Report
    fills: tuple[FillLog, ...]
    cash_micros: int

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.report.lines

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Every copy of the store, attempts of exits too."""
        return tuple(self.ended.world.stores.database.copies.values())

    @property
    def attempts(self) -> tuple[Copy, ...]:
        return tuple(copy for copy in self.copies if copy.kind is CopyKind.EXIT)

    @property
    def decided(self) -> list[str]:
        """What became of each fill, in order: `copied`, or the guard that refused and its reason."""
        return [str(line.verdict) if not line.guard else f"{line.guard}: {line.reason}" for line in self.lines]

    @property
    def ours(self) -> list[float]:
        """The shares bought or sold for each fill."""
        return [line.ours.shares_micros / SHARE for line in self.lines]

    def held(self, token_id: str = YES) -> int:
        """Settled shares of our books."""
        positions = self.ended.world.stores.database.positions.values()
        return sum(position.shares_micros for position in positions if position.token_id == token_id)

    def moved(self, token_id: str, side: Side) -> int:
        """Shares of a token that the chain has seen us buy, or sell."""
        logs = (log.fill for log in self.fills)
        return sum(fill.shares_micros for fill in logs if (fill.token_id, fill.side) == (token_id, side))


def replay(
    *histories: Sequence[ActivityRow],
    file: PolicyFile | None = None,
    policy: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    **model: Any,
) -> Replayed:
    """Play these histories, one to one and with generous caps unless told otherwise."""
    made = file or PolicyFile.model_validate(
        {"policy": ONE_TO_ONE | (policy or {}), "limits": GENEROUS | (limits or {}), "cash_usdc": 10_000}
    )
    facts = Model(**model)
    found: list[Replayed] = []

    async def work() -> None:
        ended = await play(record(merged(histories), facts), made, facts, lambda _: None)
        world = ended.world
        fills = await world.chain.fills_of([world.account.wallet], 0, world.chain.head_number)
        cash = await world.chain.collateral_balance(world.account.wallet)
        found.append(Replayed(ended, await report(ended), fills, cash))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work())
    return found[0]


def file_of(name: str) -> Path:
    return recordings.path(f"histories/{name}.json.gz")


@cache
def played(names: tuple[str, ...]) -> Replayed:
    """These histories under the example policy; each is played once for all tests of a process."""
    return replay(*(read_history(file_of(name).read_bytes()) for name in names), file=read_policy(EXAMPLE))
