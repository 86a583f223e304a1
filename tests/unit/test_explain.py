"""A decision explains itself: to a program, on the command line, and for a member of a group by the order that it is part of."""

import io
from dataclasses import replace

from polycopy.engine.v1 import engine_pb2 as pb
from rich.console import Console

from services.cli import operator
from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState
from services.common.domain.verdict import Decision, Verdict
from services.common.rpc.caller import calling
from services.common.store.memory import MemoryStores
from services.engine import wire
from tests.builders import NOON, a_copy, an_account, an_intent
from tests.servicer_world import ADMIN, servicer

OLD = Verdict("trade_time", False, "too_old", {"age_ms": "31250"}, {"age_ms": "30000"}, 31_250)
UNKNOWN = Verdict("parties", False, "missing", {"missing": "tags"}, {"missing": "none"})
FINE = Verdict("sizing", True, "", {"shares": "10"}, {"shares": "10"})


def decided(*verdicts: Verdict) -> Decision:
    return Decision(NOON, 4, verdicts)


async def test_each_guard_tells_value_limit_age_and_what_would_have_had_to_differ():
    told = wire.write_explanation(replace(a_copy(1), decision=decided(OLD, FINE, UNKNOWN)))

    old, fine, unknown = told.verdicts
    assert (dict(old.observed), dict(old.limit), old.age_ms) == ({"age_ms": "31250"}, {"age_ms": "30000"}, 31_250)
    assert old.difference == pb.Difference(name="age_ms", relation="at_most", observed="31250", needed="30000")
    assert unknown.difference == pb.Difference(name="tags", relation="known")
    assert not fine.HasField("difference")


async def test_a_member_is_explained_by_the_order_that_it_is_part_of():
    stores = MemoryStores(lambda: NOON)
    eldest = replace(a_copy(1), state=CopyState.EXECUTING, decision=decided(FINE), intent=an_intent(), group_key="k")
    member = replace(a_copy(2), state=CopyState.EXECUTING, group_key="k", member_of=eldest.copy_id, claimable_at=None)
    await stores.accounts.create(an_account())
    await stores.copies.insert([eldest, member])
    calling(ADMIN)

    told = await servicer(stores).ExplainCopy(pb.ExplainCopyRequest(copy_id=member.copy_id), None)  # type: ignore[arg-type]

    assert (told.copy.copy_id, told.copy.member_of, told.copy.group_key) == (member.copy_id, eldest.copy_id, "k")
    assert told.decided_for == eldest.copy_id
    assert [verdict.guard for verdict in told.verdicts] == ["sizing"]
    assert [attempt.order_hash for attempt in told.attempts] == [an_intent().order_hash]
    assert [entry.action for entry in told.trail] == ["detected"]


def shown(copy: Copy, eldest: Copy | None = None) -> str:
    text = io.StringIO()
    operator.show_explanation(wire.write_explanation(copy, eldest), Console(width=200, file=text))
    return text.getvalue()


async def test_the_command_line_says_what_was_needed():
    text = shown(
        replace(a_copy(1), state=CopyState.SKIPPED, skip_reason="trade_time", decision=decided(OLD, FINE, UNKNOWN))
    )

    assert "age_ms at most 30000, not 31250" in text
    assert "tags to be known" in text
    assert "skipped: trade_time" in text


async def test_the_command_line_says_whose_order_a_member_is_part_of():
    eldest = replace(a_copy(1), decision=decided(FINE))

    assert f"part of the order of {eldest.copy_id}" in shown(replace(a_copy(2), member_of=eldest.copy_id), eldest)
    assert "part of the order" not in shown(eldest)
