"""Guards of the day's money, of losses and of the wallet at their bounds."""

from datetime import datetime, timedelta

from services.common.domain.account import Day
from services.engine.case import Case, Funds
from tests.builders_case import (
    DOLLAR,
    LEADER,
    NOON,
    a_case,
    a_holding,
    an_account,
    an_open_intent,
    seconds,
)
from tests.guard_rows.row import MS, Row, spent

MIDNIGHT = NOON + timedelta(hours=12)


def less_by_a_purchase(*, matched: bool) -> Case:
    """Four dollars have gone into a purchase, from an account that is as far below its best as it may be."""
    buying = an_open_intent(matched=matched)
    return a_case(
        account=an_account(high_water_micros=1_176_470_588, open={buying.copy_id: buying}),
        funds=Funds(996 * DOLLAR, 1_000_000 * DOLLAR, NOON - seconds(1)),
    )


def with_a_loss_of_five(*, begun: int | None, mark: int = 0, now: datetime = NOON) -> Case:
    """A holding has lost five dollars since it was bought, less its mark, and sales of today have lost 195; the day began with so much of
    it lost already."""
    held = a_holding(token_id="81", condition_id="0xd")
    day = Day(lost_micros=195 * DOLLAR, opening_micros=begun)
    return a_case(
        now=now,
        trade={"traded_at": now - seconds(1)},
        funds=Funds(1_000 * DOLLAR, 1_000_000 * DOLLAR, now - seconds(1)),
        deadline_at=now + seconds(15),
        account=an_account({"max_daily_loss_micros": 199 * DOLLAR}, held={"81": held}, days={day_of(now): day}),
        marks={"81": mark},
    )


def day_of(now: datetime) -> str:
    return now.date().isoformat()


ROWS: list[Row] = [
    (
        "leader_day",
        "copied from this leader today",
        lambda: a_case(
            account=an_account({"max_leader_day_micros": 9 * DOLLAR}, **spent(0, leaders={LEADER: 4 * DOLLAR}))
        ),
        lambda: a_case(
            account=an_account(
                {"max_leader_day_micros": 9 * DOLLAR}, **spent(0, leaders={LEADER.upper(): 4 * DOLLAR + 1, "0xb": 9})
            )
        ),
        "leader_cap",
    ),
    (
        "daily_spend",
        "spent today",
        lambda: a_case(account=an_account({"max_daily_spend_micros": 9 * DOLLAR}, **spent(4 * DOLLAR))),
        lambda: a_case(account=an_account({"max_daily_spend_micros": 9 * DOLLAR}, **spent(4 * DOLLAR + 1))),
        "spend_cap",
    ),
    (
        "daily_loss",
        "realised and marked",
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=199 * DOLLAR)
            ),
            marks={"81": 400_000},
        ),
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=199 * DOLLAR)
            ),
            marks={"81": 399_999},
        ),
        "loss_cap",
    ),
    (
        "daily_loss",
        "a mark that is missing is zero",
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=195 * DOLLAR)
            )
        ),
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd")}, **spent(0, lost_micros=195 * DOLLAR + 1)
            )
        ),
        "marks_missing",
    ),
    (
        "daily_loss",
        "more than any mark could mend",
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd", shares_micros=1)},
                **spent(0, lost_micros=195 * DOLLAR),
            ),
            marks={"81": 0},
        ),
        lambda: a_case(
            account=an_account(
                held={"81": a_holding(token_id="81", condition_id="0xd", shares_micros=1)},
                **spent(0, lost_micros=195 * DOLLAR + 2),
            ),
        ),
        "loss_cap",
    ),
    (
        "daily_loss",
        "what the day began with is not lost today",
        lambda: with_a_loss_of_five(begun=DOLLAR),
        lambda: with_a_loss_of_five(begun=DOLLAR - 1),
        "loss_cap",
    ),
    (
        "daily_loss",
        "a gain that the day began with is lost again",
        lambda: with_a_loss_of_five(begun=-DOLLAR, mark=200_000),
        lambda: with_a_loss_of_five(begun=-DOLLAR - 1, mark=200_000),
        "loss_cap",
    ),
    (
        "daily_loss",
        "all that was ever lost, until it is known what the day began with",
        lambda: with_a_loss_of_five(begun=None, mark=100_000, now=MIDNIGHT),
        lambda: with_a_loss_of_five(begun=None, mark=99_999, now=MIDNIGHT),
        "opening_missing",
    ),
    (
        "drawdown",
        "fifteen per cent below the best",
        lambda: a_case(account=an_account(high_water_micros=1_176_470_588)),
        lambda: a_case(account=an_account(high_water_micros=1_176_470_589)),
        "too_deep",
    ),
    (
        "drawdown",
        "what a match has paid for counts at its cost",
        lambda: less_by_a_purchase(matched=True),
        lambda: less_by_a_purchase(matched=False),
        "too_deep",
    ),
    (
        "credit",
        "the balance, less what is in flight",
        lambda: a_case(
            account=an_account({"max_exposure_bps": 10_000}, open={"other": an_open_intent(fee_micros=10)}),
            funds=Funds(9 * DOLLAR + 50_020, 99 * DOLLAR, NOON),
        ),
        lambda: a_case(
            account=an_account({"max_exposure_bps": 10_000}, open={"other": an_open_intent(fee_micros=11)}),
            funds=Funds(9 * DOLLAR + 50_020, 99 * DOLLAR, NOON),
        ),
        "balance_short",
    ),
    (
        "credit",
        "the allowance",
        lambda: a_case(funds=Funds(99 * DOLLAR, 5 * DOLLAR + 50_010, NOON)),
        lambda: a_case(funds=Funds(99 * DOLLAR, 5 * DOLLAR + 50_009, NOON)),
        "allowance_short",
    ),
    (
        "credit",
        "a balance five seconds old",
        lambda: a_case(funds=Funds(99 * DOLLAR, 99 * DOLLAR, NOON - seconds(5))),
        lambda: a_case(funds=Funds(99 * DOLLAR, 99 * DOLLAR, NOON - seconds(5) - MS)),
        "balance_too_old",
    ),
]
