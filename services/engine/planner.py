"""From an approved order to the intent that is stored: the eleven fields, their hash, and what the account has at risk by it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from services.common.domain.account import ExposureChange, OpenIntent
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Intent, OrderFields, OrderType
from services.common.domain.market import Market, Side
from services.common.polymarket.order import Contract, InvalidAmounts, build_order, order_hash
from services.common.ports.clock import Clock
from services.engine.case import Case
from services.engine.pipeline import Approved


class Unbuildable(Exception):
    """No order can be built for this market or these amounts; `reason` is its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Plan:
    """An intent with its first attempt, and the change of exposure that commits with it."""

    intent: Intent
    change: ExposureChange


class Planner:
    """Builds intents. `contract` names the exchange of a market and raises ValueError for one that is not known."""

    def __init__(
        self, contract: Callable[[Market], Contract], clock: Clock, *, engine_version: str, config_hash: str = ""
    ) -> None:
        self._contract = contract
        self._clock = clock
        self._version = engine_version
        self._config_hash = config_hash

    def plan(self, approved: Approved) -> Plan:
        """The intent of an approved order, with a salt and a timestamp that stay with it. Raises `Unbuildable`."""
        case, draft = approved.case, approved.draft
        if case.market is None:
            raise Unbuildable("unknown_market")
        fields = self._fields(approved, case.market)
        intent = Intent(
            generation=len(case.copy.order_hashes) + 1,
            order_hash=order_hash(fields),
            fields=fields,
            order_type=OrderType.FAK,
            deadline_at=case.deadline_at or case.now + timedelta(milliseconds=case.account.limits.intent_lifetime_ms),
            limit_micros=draft.limit_micros,
            shares_micros=draft.shares_micros,
            usdc_micros=draft.usdc_micros,
            fee_micros=draft.fee_micros,
            engine_version=self._version,
            config_hash=self._config_hash,
            attempts=(Attempt(1, case.now),),
        )
        return Plan(intent, _exposed(case, case.market, intent))

    def _fields(self, approved: Approved, market: Market) -> OrderFields:
        case, draft = approved.case, approved.draft
        try:
            return build_order(
                self._contract(market),
                maker=case.account.wallet,
                signer=case.account.signer,
                signature_type=case.account.signature_type,
                token_id=draft.token_id,
                side=draft.side,
                shares_micros=draft.shares_micros,
                limit_micros=draft.limit_micros,
                tick_micros=market.tick_micros,
                salt=self._clock.salt(),
                now=case.now,
            )
        except InvalidAmounts as error:
            raise Unbuildable(error.reason) from error
        except ValueError as error:
            raise Unbuildable("unknown_protocol") from error


def _exposed(case: Case, market: Market, intent: Intent) -> ExposureChange:
    side, leader = intent.fields.side, case.trade.leader
    put = OpenIntent(
        copy_id=case.copy.copy_id,
        condition_id=market.condition_id,
        event_id=market.event_id,
        token_id=intent.fields.token_id,
        leader=leader,
        side=side,
        shares_micros=intent.shares_micros,
        usdc_micros=intent.usdc_micros,
        fee_micros=intent.fee_micros,
        price_micros=intent.limit_micros,
        at=case.now,
    )
    spent = intent.usdc_micros if side is Side.BUY else 0
    return ExposureChange(case.now, put=put, spent_micros=spent, spent_on=leader if spent else "")


def unspent(copy: Copy, intent: Intent) -> ExposureChange:
    """What the account has back of an order that has filled nothing and can fill no more: nothing is at risk by it, and the day that
    it was made on has its money again. Another order of the same copy counts for itself."""
    spent = intent.usdc_micros if intent.fields.side is Side.BUY else 0
    made_at, leader = intent.attempts[0].at, copy.trade.leader
    return ExposureChange(made_at, drop=copy.copy_id, spent_micros=-spent, spent_on=leader if spent else "")
