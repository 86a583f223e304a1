"""Rows of the Data API, versions 1 and 2 (venue.md 1): trades, activity, positions, pages and errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.common.domain.market import Side
from services.common.domain.money import MICRO
from services.common.domain.trade import LeaderTrade, row_key
from services.common.polymarket.parse.payload import Fields, UnknownPayload, nearest_micros
from services.common.ports.venue import PublicPosition

UNLABELLED = 999


class ActivityKind(StrEnum):
    """What a row records. Rows of `/trades` carry no kind and are trades."""

    TRADE = "TRADE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    REWARD = "REWARD"
    CONVERSION = "CONVERSION"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    YIELD = "YIELD"
    MAKER_REBATE = "MAKER_REBATE"
    TAKER_REBATE = "TAKER_REBATE"
    REFERRAL_REWARD = "REFERRAL_REWARD"
    MIGRATION = "MIGRATION"
    TIP = "TIP"


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One row. For a trade `usdc_micros` is size × price, as the chain settles it: `usdcSize` may include the fee (venue.md 1.4).

    `side` is None and `token_id` may be empty for rows that are no trades; `outcome_index` is None where the feed has no label yet.
    Trade rows carry neither order hash nor log index, and identical rows can all be real.
    """

    kind: ActivityKind
    wallet: str
    traded_at: datetime
    tx_hash: str
    condition_id: str
    token_id: str
    side: Side | None
    shares_micros: int
    usdc_micros: int
    price: Decimal
    outcome: str
    outcome_index: int | None
    title: str
    slug: str
    event_slug: str
    icon: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of version 2; `cursor` is empty on the last one."""

    rows: tuple[Fields, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class _Spelling:
    wallet: str
    tx_hash: str
    condition: str
    token: str
    usdc: str
    index: str
    event_slug: str
    size: str


_V1 = _Spelling(
    "proxyWallet", "transactionHash", "conditionId", "asset", "usdcSize", "outcomeIndex", "eventSlug", "size"
)
_V2 = _Spelling(
    "proxy_wallet",
    "transaction_hash",
    "condition_id",
    "token_id",
    "usdc_size",
    "outcome_index",
    "event_slug",
    "current_size",
)


def read_row(row: Fields) -> ActivityRow:
    """A row of `/activity` or `/trades`, version 1 or 2 by its spelling."""
    spelling = _spelling(row)
    kind = _kind(row)
    if kind is ActivityKind.TRADE:
        return _trade(row, spelling)
    return _event(row, spelling, kind)


def read_position(row: Fields) -> PublicPosition:
    """A row of `/positions`, either version, sizes rounded down."""
    spelling = _spelling(row)
    return PublicPosition(row.digits(spelling.token), row.micros_floor(spelling.size))


def read_page(source: str, payload: object) -> Page:
    """The envelope of version 2."""
    page = Fields(source, payload)
    pagination = Fields(source, page.value.get("pagination"))
    cursor = pagination.text("next_cursor", "")
    if pagination.flag("has_more") and not cursor:
        pagination.fail("next_cursor: absent although there is more")
    return Page(tuple(page.objects("data")), cursor if pagination.flag("has_more") else "")


def leader_trade(row: ActivityRow, place: int, ordinal: int) -> LeaderTrade:
    """A row of a recorded history as a trade; `place` is its position in the replay, `ordinal` counts identical rows."""
    if row.side is None:
        raise ValueError("only a trade row is a trade")
    return LeaderTrade(
        key=row_key(row.tx_hash, row.token_id, row.side, row.shares_micros, ordinal),
        leader=row.wallet,
        token_id=row.token_id,
        side=row.side,
        shares_micros=row.shares_micros,
        usdc_micros=row.usdc_micros,
        traded_at=row.traded_at,
        tx_hash=row.tx_hash,
        order_hash="",
        block_number=place,
        log_index=0,
        condition_id=row.condition_id,
    )


def _spelling(row: Fields) -> _Spelling:
    if _V2.wallet in row:
        return _V2
    return _V1 if _V1.wallet in row else row.fail("neither a row of version 1 nor of version 2")


def _kind(row: Fields) -> ActivityKind:
    try:
        return ActivityKind(row.text("type", ActivityKind.TRADE))
    except ValueError:
        row.fail("type: an unknown kind of activity")


def _trade(row: Fields, spelling: _Spelling) -> ActivityRow:
    shares, price = row.micros_nearest("size"), row.number("price")
    if shares <= 0:
        row.fail("size: a trade of nothing")
    if not 0 <= price <= 1:
        row.fail("price: outside 0 to 1")
    usdc = nearest_micros(Decimal(shares) / MICRO * price)
    token, side = row.digits(spelling.token), row.side("side")
    return _row(row, spelling, ActivityKind.TRADE, token, side, shares, usdc, price)


def _event(row: Fields, spelling: _Spelling, kind: ActivityKind) -> ActivityRow:
    shares, usdc = row.micros_nearest("size"), row.micros_nearest(spelling.usdc)
    if shares < 0 or usdc < 0:
        row.fail("size: negative")
    token = row.text(spelling.token, "")
    return _row(row, spelling, kind, token, None, shares, usdc, row.number("price", Decimal(0)))


def _row(
    row: Fields,
    spelling: _Spelling,
    kind: ActivityKind,
    token_id: str,
    side: Side | None,
    shares_micros: int,
    usdc_micros: int,
    price: Decimal,
) -> ActivityRow:
    index = row.integer(spelling.index, UNLABELLED)
    return ActivityRow(
        kind=kind,
        wallet=row.address(spelling.wallet),
        traded_at=row.epoch("timestamp"),
        tx_hash=row.hex(spelling.tx_hash, 32),
        condition_id=row.text(spelling.condition, "").lower(),
        token_id=token_id,
        side=side,
        shares_micros=shares_micros,
        usdc_micros=usdc_micros,
        price=price,
        outcome=row.text("outcome", ""),
        outcome_index=None if index == UNLABELLED else index,
        title=row.text("title", ""),
        slug=row.text("slug", ""),
        event_slug=row.text(spelling.event_slug, ""),
        icon=row.text("icon", ""),
    )


def read_rows(source: str, rows: Sequence[object]) -> tuple[ActivityRow, ...]:
    """Every row of a list; the first unknown one is named by its place."""
    found: list[ActivityRow] = []
    for place, row in enumerate(rows):
        try:
            found.append(read_row(Fields(source, row)))
        except UnknownPayload as error:
            raise UnknownPayload(source, f"row {place + 1}: {error.reason}", row) from error
    return tuple(found)
