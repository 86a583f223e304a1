"""Messages of ReconcilerService from what the domain knows."""

from polycopy.reconciler.v1 import reconciler_pb2 as pb

from services.common.domain.fill import Position, ReconciliationResult
from services.common.domain.money import MICRO, mul_div
from services.common.rpc.messages import write_instant, write_optional_instant


def write_result(result: ReconciliationResult) -> pb.ReconciliationResult:
    """One comparison."""
    return pb.ReconciliationResult(
        result_id=result.result_id,
        account_id=result.account_id,
        started_at=write_instant(result.started_at),
        finished_at=write_instant(result.finished_at),
        positions_checked=result.positions_checked,
        discrepancies=[
            pb.Discrepancy(
                token_id=item.token_id,
                source=item.source,
                ours_micros=item.ours_micros,
                theirs_micros=item.theirs_micros,
            )
            for item in result.discrepancies
        ],
        settled=result.settled,
        complete=result.complete,
        unreachable=result.unreachable,
        block_number=result.block_number,
    )


def write_position(position: Position) -> pb.Position:
    """A position with what follows from its mark; figures that need a price are absent where none is known."""
    value = None if position.mark_micros is None else mul_div(position.shares_micros, position.mark_micros, MICRO)
    profit = None if value is None else value - position.cost_micros
    percent = None if profit is None or not position.cost_micros else profit * 100 * MICRO // position.cost_micros
    return pb.Position(
        account_id=position.account_id,
        proxy_wallet=position.wallet,
        asset=position.token_id,
        condition_id=position.condition_id,
        size_micros=position.shares_micros,
        avg_price_micros=position.average_micros,
        initial_value_micros=position.cost_micros,
        current_value_micros=value,
        cash_pnl_micros=profit,
        percent_pnl_micros=percent,
        total_bought_micros=position.bought_micros,
        realized_pnl_micros=position.realized_micros,
        cur_price_micros=position.mark_micros,
        fees_micros=position.fees_micros,
        redeemable=position.redeemable,
        mergeable=position.mergeable,
        title=position.title,
        slug=position.slug,
        icon=position.icon,
        event_slug=position.event_slug,
        event_id=position.event_id,
        outcome=position.outcome,
        outcome_index=position.outcome_index,
        opposite_outcome=position.opposite_outcome,
        opposite_asset=position.opposite_token_id,
        end_date=write_optional_instant(position.ends_at),
        negative_risk=position.neg_risk,
        updated_at=write_instant(position.updated_at),
    )
