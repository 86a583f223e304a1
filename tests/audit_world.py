"""A small history with its trails and checkpoints, as an export has it, and the ways to tamper with it."""

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.cli import audit_verify
from services.common.audit import spelling
from services.common.audit.key import AuditKey
from services.common.domain import contents, control, transitions
from services.common.domain.account import AccountState, Pause, PauseScope
from services.common.domain.checkpoint import Checkpoint, Head, following
from services.common.domain.lifecycle import Actor
from services.common.domain.trail import Trail
from tests.builders import LEADER, NOON, a_copy, a_decision, a_refusal, an_account, an_intent

Lines = list[dict[str, Any]]

SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = AuditKey(SECRET)
STRANGER = AuditKey(Ed25519PrivateKey.from_private_bytes(bytes(reversed(range(32)))))
PUBLIC: Ed25519PublicKey = SECRET.public_key()
LATER = timedelta(hours=1)


@dataclass
class History:
    """Trails in their latest state, and the checkpoints made on the way. `lines` is the export; `outside` the file of checkpoints."""

    trails: dict[str, dict[str, Any]]
    checkpoints: list[Checkpoint]

    @property
    def outside(self) -> Lines:
        return [_plain(spelling.write_checkpoint(one)) for one in self.checkpoints]

    @property
    def lines(self) -> Lines:
        return [*self.outside, *copy.deepcopy(list(self.trails.values()))]


def history(documents: int = 4, key: AuditKey = KEY) -> History:
    """Accounts and copies that live a while; a checkpoint after every few transitions, and one long after the last."""
    made = History({}, [])
    accounts = [control.created(an_account("0x" + letter * 40), "config", NOON) for letter in "ab"]
    copies = [transitions.sealed(transitions.detected(a_copy(number))) for number in range(1, documents + 1)]
    for step in range(4):
        at = NOON + timedelta(minutes=step)
        accounts = [_controlled(account, step, at) for account in accounts]
        copies = [transitions.sealed(_moved(one, step, at)) for one in copies]
        for account in accounts:
            _keep(made, f"accounts/{account.account_id}", contents.of_account(account), account.trail, {})
        for one in copies:
            _keep(made, f"user_activities/{one.copy_id}", contents.of_copy(one), one.trail, contents.attached(one))
        checkpoint(made, at + timedelta(seconds=30) if step < 3 else NOON + LATER, key)
    return made


def checkpoint(made: History, at: Any, key: AuditKey) -> None:
    """A checkpoint over every trail as it is now."""
    heads = [Head(name, len(line["entries"]), line["entries"][-1]["hash"]) for name, line in made.trails.items()]
    last = made.checkpoints[-1] if made.checkpoints else None
    after = following(last, heads, at, "")
    made.checkpoints.append(replace(after, signature=key.sign(after)))


def judged(lines: Lines, outside: Lines | None = None, known: tuple[int, str] | None = None) -> audit_verify.Verifier:
    """What the verifier finds."""
    kept = None if outside is None else [json.dumps(line) for line in outside]
    return audit_verify.verify([json.dumps(line) for line in lines], PUBLIC, kept, known)


def _controlled(account: Any, step: int, at: Any) -> Any:
    return (
        control.paused(account, Pause(PauseScope.LEADER, LEADER, "ops", at)),
        control.limited(account, {"max_order_micros": 100 - step}, "0xadmin", at),
        control.in_state(account, AccountState.HALTED, "ops", at),
        control.started(account, "2", "ops", at),
    )[step]


def _moved(one: Any, step: int, at: Any) -> Any:
    if step == 0:
        # Two reports of one guard, and then the one that lets it pass: the entry tells of the first.
        for held_back in (a_refusal(at), a_refusal(at, account_seq=1)):
            one = transitions.sealed(transitions.released(transitions.claimed(one, "w", at), at, at, held_back))
        return transitions.begun(transitions.claimed(one, "w", at), an_intent(1, at), a_decision(at), at)
    if step == 1:
        return transitions.executed(one, Actor.ENGINE, None, (10_000_000, 5_000_000, 1_000), at)
    if step == 2:
        return transitions.settled(one, transitions.CopyState.RECONCILED, (10_000_000, 5_000_000, 900), True, at)
    return transitions.acknowledged(one, "0xadmin", "é looked at", at)


def _keep(made: History, name: str, content: Any, trail: Trail, attached: Any) -> None:
    made.trails[name] = _plain(spelling.write_trail(name, content, trail, attached))


def _plain(value: Any) -> Any:
    return json.loads(spelling.line(value))


def rechained(entries: Lines, first: int = 0) -> None:
    """Make the hashes right again from `first` on, as somebody would who owns the database and has no key."""
    for place in range(first, len(entries)):
        entry = entries[place]
        entry["seq"] = place + 1
        entry["prevHash"] = entries[place - 1]["hash"] if place else ""
        entry["before"] = entries[place - 1]["after"] if place else ""
        entry["hash"] = audit_verify.digest({name: value for name, value in entry.items() if name != "hash"})


Tamper = Callable[[random.Random, Lines, History], str]
"""Changes an export, and says which trail or checkpoint it was about."""


def _some(dice: random.Random, lines: Lines) -> dict[str, Any]:
    return dice.choice([line for line in lines if line["type"] == "trail"])


def edit_an_entry(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    entry = dice.choice(line["entries"])
    field = dice.choice(["action", "actor", "ts", "after", "fence"])
    entry[field] = {"fence": 77, "ts": "2026-11-24T12:34:56.789+00:00"}.get(field, f"{entry[field]}0")
    return str(line["trail"])


def edit_the_document(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    field = dice.choice(sorted(line["content"]))
    line["content"][field] = ["tampered", line["content"][field]]
    return str(line["trail"])


def edit_the_document_and_its_last_entry(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    line["content"]["state"] = "tampered"
    line["entries"][-1]["after"] = audit_verify.digest(line["content"])
    rechained(line["entries"])
    return str(line["trail"])


def edit_the_decision(dice: random.Random, lines: Lines, _: History) -> str:
    line = dice.choice([one for one in lines if one["type"] == "trail" and one["attached"]])
    line["attached"]["decision"]["accountSeq"] += 1
    return str(line["trail"])


def delete_an_entry(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    place = dice.randrange(len(line["entries"]))
    del line["entries"][place]
    if dice.random() < 0.5:
        rechained(line["entries"])
    return str(line["trail"])


def delete_the_document(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    lines.remove(line)
    return str(line["trail"])


def insert_an_entry(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    place = dice.randrange(len(line["entries"]) + 1)
    line["entries"].insert(place, {**dice.choice(line["entries"]), "action": "inserted"})
    if dice.random() < 0.5:
        rechained(line["entries"])
        line["content"] = line["content"] if place < len(line["entries"]) - 1 else {"tampered": True}
    return str(line["trail"])


def insert_a_document(dice: random.Random, lines: Lines, _: History) -> str:
    fresh = copy.deepcopy(_some(dice, lines))
    fresh["trail"] = f"user_activities/forged{dice.randrange(10**6)}"
    lines.append(fresh)
    return str(fresh["trail"])


def reorder_entries(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    first = dice.randrange(len(line["entries"]) - 1)
    entries = line["entries"]
    entries[first], entries[first + 1] = entries[first + 1], entries[first]
    if dice.random() < 0.5:
        rechained(entries)
    return str(line["trail"])


def cut_the_tail(dice: random.Random, lines: Lines, made: History) -> str:
    line = _some(dice, lines)
    kept = dice.randrange(1, len(line["entries"]))
    del line["entries"][kept:]
    # As it looked then: nothing but the checkpoints knows better.
    line["content"] = {"said": "then"}
    line["entries"][-1]["after"] = audit_verify.digest(line["content"])
    line["attached"] = {}
    rechained(line["entries"], kept - 1)
    return str(line["trail"])


def fork_a_trail(dice: random.Random, lines: Lines, _: History) -> str:
    line = _some(dice, lines)
    place = dice.randrange(len(line["entries"]))
    for entry in line["entries"][place:]:
        entry["action"] = f"otherwise:{entry['action']}"
    rechained(line["entries"], place)
    return str(line["trail"])


def rewrite_everything_without_the_key(dice: random.Random, lines: Lines, _: History) -> str:
    kept = History({line["trail"]: line for line in lines if line["type"] == "trail"}, [])
    line = _some(dice, lines)
    dice.choice(line["entries"])["actor"] = "0xsomebody"
    rechained(line["entries"])
    checkpoint(kept, NOON + LATER, STRANGER)
    lines[:] = kept.lines
    return "checkpoint 0"


def edit_a_checkpoint(dice: random.Random, lines: Lines, _: History) -> str:
    line = dice.choice([one for one in lines if one["type"] == "checkpoint"])
    field = dice.choice(["size", "root", "ts", "previous", "leaves"])
    line[field] = {"size": line["size"] + 1, "leaves": line["leaves"][:-1], "ts": "2026-11-24T12:00:01.000+00:00"}.get(
        field, "0" * 64
    )
    return f"checkpoint {line['index']}"


def leave_out_a_checkpoint(dice: random.Random, lines: Lines, made: History) -> str:
    index = dice.randrange(len(made.checkpoints) - 1)
    lines[:] = [line for line in lines if line.get("index") != index]
    return f"checkpoint {index + 1}"


def roll_back_to_a_backup(dice: random.Random, lines: Lines, made: History) -> str:
    """Documents as they were a while ago, against the checkpoints that were kept outside."""
    trails = [line for line in lines if line["type"] == "trail"]
    ago = dice.randrange(1, 4)
    for line in trails:
        del line["entries"][-ago:]
        line["content"], line["attached"] = {"said": "then"}, {}
        line["entries"][-1]["after"] = audit_verify.digest(line["content"])
        rechained(line["entries"], len(line["entries"]) - 1)
    return str(trails[0]["trail"])


TAMPERS: tuple[Tamper, ...] = (
    edit_an_entry,
    edit_the_document,
    edit_the_document_and_its_last_entry,
    edit_the_decision,
    delete_an_entry,
    delete_the_document,
    insert_an_entry,
    insert_a_document,
    reorder_entries,
    cut_the_tail,
    fork_a_trail,
    rewrite_everything_without_the_key,
    edit_a_checkpoint,
    leave_out_a_checkpoint,
    roll_back_to_a_backup,
)
