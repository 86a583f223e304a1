"""What goes in comes out: money to the last micro at any size, instants to the millisecond and in UTC."""

import json
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.domain.account import Account, Day, Exposure, ExposureChange, Holding, Limits
from services.common.domain.copy import Copy
from services.common.domain.dead_letter import DeadLetter
from services.common.domain.exit import Exit
from services.common.domain.fill import Fill, LedgerLine, Position, ReconciliationResult
from services.common.domain.follow import Follow
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.user import Nonce, User
from services.common.domain.verdict import Decision
from services.common.ports.accounts import Leader
from services.common.ports.stores import Stores
from services.common.store import codec
from tests.builders import (
    ACCOUNT,
    TOKEN,
    a_copy,
    a_decision,
    a_trade,
    an_account,
    an_exposure,
    an_intent,
)
from tests.contract.lifecycle_world import Books, begun, books, claimed, executed, kept, settled

MOST, LEAST = 2**63 - 1, -(2**63)
EDGES = [0, 1, -1, 2**31, 2**53 + 1, MOST, LEAST]


@pytest.mark.parametrize("shares", [1, 2**53 + 1, MOST, 2**63, 2**96])
async def test_a_trade_of_any_size_is_kept_to_the_last_micro(stores: Stores, now: datetime, shares: int) -> None:
    trade = a_trade(1, shares_micros=shares, usdc_micros=shares, block_number=MOST, log_index=MOST)
    copy = a_copy(1, now=now, trade=trade, owed_micros=shares)

    await stores.copies.insert([copy])

    found = await kept(stores, copy)
    assert (found.trade, found.owed_micros) == (trade, shares)


async def test_an_order_of_the_largest_numbers_is_kept_to_the_last_digit(stores: Stores, now: datetime) -> None:
    copy = await claimed(stores, a_copy(1, now=now))
    fields = replace(
        an_intent(1, now).fields,
        salt=2**256 - 1,
        maker_amount=2**256 - 1,
        taker_amount=MOST,
        token_id=str(2**256 - 1),
    )
    intent = an_intent(1, now, fields=fields, shares_micros=MOST, usdc_micros=MOST, fee_micros=MOST, limit_micros=MOST)
    change = ExposureChange(now, put=replace(an_exposure(copy, intent, now).put, token_id=str(2**256 - 1)))

    await stores.copies.begin(copy, 0, intent, a_decision(now), change, (), now)

    assert (await kept(stores, copy)).intent == intent
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert account.exposure.open == {copy.copy_id: change.put}


@pytest.mark.parametrize("amount", EDGES)
async def test_an_account_at_the_edge_of_its_numbers_is_kept(stores: Stores, now: datetime, amount: int) -> None:
    holding = Holding(TOKEN, "0xc", "7", amount or 1, amount)
    exposure = Exposure(held={TOKEN: holding}, days={"2026-11-25": Day(amount, {"0x1": amount}, amount, -amount)})
    account = an_account(
        limits=Limits(max_order_micros=amount), exposure=replace(exposure, high_water_micros=amount, forgets_best=True)
    )

    await stores.accounts.create(account)

    assert await stores.accounts.get(ACCOUNT) == account


async def test_exposure_reaches_the_largest_number_and_not_beyond(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    most = ExposureChange(now, held=Holding(TOKEN, "0xc", "7", MOST, MOST), spent_micros=MOST, spent_on="0x1")

    assert await stores.accounts.apply(ACCOUNT, most)

    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert account.exposure.held[TOKEN].shares_micros == account.exposure.day(now).spent_micros == MOST


@pytest.mark.parametrize("amount", EDGES)
async def test_books_at_the_edge_of_their_numbers_are_kept(stores: Stores, now: datetime, amount: int) -> None:
    copy = await executed(stores, now)
    made = books(copy, now)
    extreme = Books(
        (replace(made.fills[0], shares_micros=amount, usdc_micros=amount, fee_micros=amount),),
        (replace(made.lines[0], shares_micros=amount, usdc_micros=amount, realized_micros=amount),),
        (replace(made.positions[0], shares_micros=amount, cost_micros=amount, realized_micros=amount),),
        ExposureChange(now),
    )

    assert await settled(stores, copy, copy.fence, CopyState.RECONCILED, now, extreme)

    assert await stores.positions.fills([ACCOUNT]) == extreme.fills
    assert await stores.positions.ledger(ACCOUNT) == extreme.lines
    assert await stores.positions.of([ACCOUNT]) == extreme.positions


@pytest.mark.parametrize(
    "at",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 25, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2026, 3, 29, 2, 30, 0, 1_000, tzinfo=timezone(timedelta(hours=2))),
        datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    ],
)
async def test_an_instant_is_kept_to_the_millisecond_and_aware(stores: Stores, now: datetime, at: datetime) -> None:
    copy = a_copy(1, now=now, trade=a_trade(1, traded_at=at))
    await stores.copies.insert([copy])

    found = (await kept(stores, copy)).trade.traded_at

    assert found == at
    assert found.utcoffset() is not None


async def test_a_decision_is_kept_whole(stores: Stores, now: datetime) -> None:
    copy = await claimed(stores, a_copy(1, now=now))
    case = {"owed": 2**70, "none": None, "nested": {"list": [1, "two", {"three": 3}]}, "flag": True}
    decision = a_decision(now, record=json.dumps(case), market="0xc0")

    await stores.copies.skip(copy.ref, "edge", decision, now)

    found = (await kept(stores, copy)).decision
    assert found == decision
    assert found.case == case
    assert found.digest == decision.digest


async def test_a_title_in_any_script_is_kept(stores: Stores, now: datetime) -> None:
    copy = a_copy(1, now=now, title="Дождь? 雨 🌧 \x00 $ a.b", slug="", outcome="$yes")

    await stores.copies.insert([copy])

    assert (await kept(stores, copy)).title == copy.title


async def test_an_attempts_answer_is_kept_as_the_venue_gave_it(stores: Stores, now: datetime) -> None:
    copy = await begun(stores, await claimed(stores, a_copy(1, now=now)), 1, now)
    answer = Attempt(1, now, Outcome.UNKNOWN, 503, "строка $ . \x00")

    assert await stores.copies.record(copy.ref, answer, None, now)

    found = (await kept(stores, copy)).intent
    assert found is not None
    assert found.attempts == (answer,)


KINDS: list[Any] = [
    Copy, Account, Follow, Leader, Exit, Fill, Position, LedgerLine, ReconciliationResult, User, Nonce, DeadLetter, Decision,
]  # fmt: skip
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.sampled_from(EDGES) | st.integers(-(2**256), 2**256),
    str: st.text(max_size=12),
    bool: st.booleans(),
    datetime: INSTANTS,
    object: st.none() | st.booleans() | st.integers(LEAST, MOST) | st.text(max_size=8) | st.lists(st.integers(0, 9)),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_record_survives_the_way_to_a_document_and_back(kind: Any) -> None:
    aware: Any = bson.CodecOptions(tz_aware=True, tzinfo=UTC)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(of(kind))
    def survives(record: Any) -> None:
        assert codec.decode(kind, bson.decode(bson.encode(codec.encode(record)), codec_options=aware)) == record

    survives()


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, integers beyond a machine word included."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: of(hints[field.name]) for field in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    inner = get_args(kind)
    if get_origin(kind) is tuple:
        return st.lists(of(inner[0]), max_size=2).map(tuple)
    if get_origin(kind) in {Union, UnionType}:
        return st.one_of([st.none() if part is NoneType else of(part) for part in inner])
    return st.dictionaries(NAMES, of(inner[1]), max_size=2)
