"""An account's exposure in its document: one change is one update of named entries, so nothing is read first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.common.domain import control
from services.common.domain.account import Account, ExposureChange
from services.common.domain.control import Standing
from services.common.store import codec
from services.common.store.session import Database, Session

ID = "account_id"


def read(document: Mapping[str, Any]) -> Account:
    """The account; a holding of zero shares is none."""
    held = document["exposure"]["held"]
    holdings = {token: holding for token, holding in held.items() if holding["sharesMicros"]}
    return codec.record(Account, {**document, "exposure": {**document["exposure"], "held": holdings}}, ID)


async def move(
    database: Database,
    account_id: str,
    change: ExposureChange,
    session: Session | None = None,
    *,
    seq: int | None = None,
    unless_stopped: bool = False,
    attempted: bool = False,
) -> bool:
    """Apply `change` and advance the line, `attempted` by an attempt that is journaled with it. False when the line is not at `seq`,
    (`unless_stopped`) the account is halted or paused, or the opening of the day, where `change` tells one, is known already."""
    held: dict[str, Any] = {"_id": account_id}
    if seq is not None:
        held["seq"] = seq
    if unless_stopped:
        held |= {"state": {"$ne": "halted"}, "pauses.scope": {"$ne": "all"}}
    if change.opening_micros is not None:
        held[f"{_day(change)}.openingMicros"] = None
    made = update(change)
    made["$inc"]["attempts"] = int(attempted)
    moved = bool(change.high_water_micros) and await _forgotten(database, held, made, session)
    if not moved:
        moved = (await database["accounts"].update_one(held, made, session=session)).matched_count == 1
    if moved and change.held is not None:
        await _unset_zero(database, account_id, change.held.token_id, session)
    return moved


async def resent(
    database: Database, account_id: str, now: datetime, standing: Standing | None, session: Session
) -> bool:
    """Advance the line for a resend, unless control forbids it. What this transaction has read of the account it also writes: a change
    of control either is seen, or makes it begin anew."""
    if standing is not None:
        found = await database["accounts"].find_one({"_id": account_id}, session=session)
        if found is None or not control.admits(read(found), standing):
            return False
    return await move(database, account_id, ExposureChange(now), session, unless_stopped=True, attempted=True)


async def _forgotten(database: Database, held: dict[str, Any], made: dict[str, Any], session: Session | None) -> bool:
    """Put a new best in the place of one that is to be forgotten; False where there is none."""
    best = made["$max"] | {"exposure.forgetsBest": False}
    instead = {how: what for how, what in made.items() if how != "$max"} | {"$set": made.get("$set", {}) | best}
    done = await database["accounts"].update_one(held | {"exposure.forgetsBest": True}, instead, session=session)
    return done.matched_count == 1


async def _unset_zero(database: Database, account_id: str, token_id: str, session: Session | None) -> None:
    # What is left of its cost must not become part of the next holding's, and the document must not grow with every token ever held.
    path = f"exposure.held.{token_id}"
    zero = {"_id": account_id, f"{path}.sharesMicros": 0}
    await database["accounts"].update_one(zero, {"$unset": {path: ""}}, session=session)


def update(change: ExposureChange) -> dict[str, Any]:
    """The update that `change` is."""
    add: dict[str, int] = {"seq": 1}
    put: dict[str, Any] = {}
    made: dict[str, Any] = {"$inc": add}
    if change.put is not None:
        put[f"exposure.open.{change.put.copy_id}"] = codec.encode(change.put)
    if change.drop is not None and (change.put is None or change.put.copy_id != change.drop):
        made["$unset"] = {f"exposure.open.{change.drop}": ""}
    if change.held is not None:
        path = f"exposure.held.{change.held.token_id}"
        add |= {f"{path}.sharesMicros": change.held.shares_micros, f"{path}.costMicros": change.held.cost_micros}
        put |= {
            f"{path}.{name}": value for name, value in codec.encode(change.held).items() if not name.endswith("Micros")
        }
    day = _day(change)
    if change.spent_micros:
        add |= {f"{day}.spentMicros": change.spent_micros, f"{day}.leaders.{change.spent_on}": change.spent_micros}
    if change.lost_micros:
        add[f"{day}.lostMicros"] = change.lost_micros
    if change.opening_micros is not None:
        put[f"{day}.openingMicros"] = change.opening_micros
    if change.high_water_micros:
        made["$max"] = {"exposure.highWaterMicros": change.high_water_micros}
    return made | ({"$set": put} if put else {})


def _day(change: ExposureChange) -> str:
    return f"exposure.days.{change.at.date().isoformat()}"
