"""The gate: while a process condition fails, nothing new is claimed and nothing is skipped (guards.md, first table)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.common.domain.account import Account, AccountState, PauseScope
from services.common.domain.trade import LeaderTrade
from services.common.domain.verdict import Verdict
from services.engine.case import age_ms
from services.engine.process_facts import DEFAULTS, GateLimits, Incident, ProcessFacts, Trouble


@dataclass(frozen=True, slots=True)
class Admission:
    """What may be claimed: `fresh` False takes only what is executing already; the rest narrows new entries.

    `closed` holds the conditions that fail, for people to read.
    """

    fresh: bool
    only_exits: bool
    barred_leaders: tuple[str, ...]
    barred_markets: tuple[str, ...]
    closed: tuple[Verdict, ...]


def conditions(facts: ProcessFacts, limits: GateLimits = DEFAULTS) -> tuple[Verdict, ...]:
    """Every condition of the gate, in the order of its table."""
    return (
        _trading_state(facts.account),
        _readiness(facts, limits),
        clock(facts.database_skew_ms, facts.venue_skew_ms, limits),
        _chain(facts, limits),
        _version(facts.account, facts.engine_version),
        _known("signer", {"signer_ready": facts.signer_ready}, facts.signer_note),
        _venue(facts),
        _brakes(facts, limits),
    )


def closed(facts: ProcessFacts, limits: GateLimits = DEFAULTS) -> tuple[Verdict, ...]:
    """The conditions that fail; none where the gate is open."""
    return tuple(verdict for verdict in conditions(facts, limits) if not verdict.ok)


def admission(facts: ProcessFacts, limits: GateLimits = DEFAULTS) -> Admission:
    """What may be claimed now. A reducing account, brakes and a closed-only venue hold entries; everything else holds all new work."""
    failing = closed(facts, limits)
    entries_only = {"reducing", "brakes", "closed_only"}
    leaders, markets = _barred(facts, limits)
    return Admission(
        fresh=all(verdict.reason in entries_only for verdict in failing),
        only_exits=any(verdict.reason in entries_only for verdict in failing),
        barred_leaders=leaders,
        barred_markets=markets,
        closed=failing,
    )


def standing(
    account: Account, trade: LeaderTrade, condition_id: str, engine_version: str, *, entry: bool
) -> tuple[Verdict, ...]:
    """State, pauses and version, judged again on the snapshot that a decision is made on; what fails releases the copy, unskipped."""
    state = _trading_state(account)
    verdicts = (
        _passes("trading_state") if state.reason == "reducing" and not entry else state,
        _paused(account, trade.leader, condition_id),
        _version(account, engine_version),
    )
    return tuple(verdict for verdict in verdicts if not verdict.ok)


def _passes(name: str) -> Verdict:
    return Verdict(name, True)


def _known(name: str, facts: Mapping[str, bool | None], reason: str = "") -> Verdict:
    """Allow where every fact is known to hold; the first that does not is the reason."""
    failing = next((fact for fact, holds in facts.items() if holds is not True), None)
    observed = {fact: "unknown" if holds is None else str(holds).lower() for fact, holds in facts.items()}
    limit = dict.fromkeys(facts, "true")
    return Verdict(name, failing is None, "" if failing is None else reason or failing, observed, limit)


def _trading_state(account: Account) -> Verdict:
    everything = any(pause.scope is PauseScope.ALL for pause in account.pauses)
    observed = {"state": str(account.state), "paused": str(everything).lower()}
    limit = {"state": "active", "paused": "false"}
    if account.state is AccountState.HALTED:
        return Verdict("trading_state", False, "halted", observed, limit)
    if everything:
        return Verdict("trading_state", False, "paused", observed, limit)
    reducing = account.state is AccountState.REDUCING
    return Verdict("trading_state", not reducing, "reducing" if reducing else "", observed, limit)


def _paused(account: Account, leader: str, condition_id: str) -> Verdict:
    """Whether this leader or this market is paused."""
    scopes = {(PauseScope.LEADER, leader.lower()): "leader_paused", (PauseScope.MARKET, condition_id): "market_paused"}
    subjects = {(p.scope, p.subject.lower() if p.scope is PauseScope.LEADER else p.subject) for p in account.pauses}
    reason = next((reason for scope, reason in scopes.items() if scope in subjects), "")
    return Verdict("trading_state", not reason, reason, {"leader": leader, "market": condition_id})


def _readiness(facts: ProcessFacts, limits: GateLimits) -> Verdict:
    feed = _known("readiness", {"user_feed_live": facts.user_feed_live})
    age = None if facts.reconciled_at is None else age_ms(facts.now, facts.reconciled_at)
    reconciled = _within("readiness", "reconciled_ms", age, limits.reconciled_ms)
    return feed if reconciled.ok else reconciled


def clock(database_skew_ms: int | None, venue_skew_ms: int | None, limits: GateLimits = DEFAULTS) -> Verdict:
    """Our clock is the database's and the venue's."""
    skews = {"database_skew_ms": database_skew_ms, "venue_skew_ms": venue_skew_ms}
    verdicts = [_within("clock", name, skew, limits.clock_ms) for name, skew in skews.items()]
    return next((verdict for verdict in verdicts if not verdict.ok), verdicts[0])


def _chain(facts: ProcessFacts, limits: GateLimits) -> Verdict:
    right = None if facts.chain_id is None else facts.chain_id == facts.expected_chain_id
    known = {"chain_id": right, "endpoints_agree": facts.endpoints_agree, "exchange_known": facts.exchange_known}
    verdicts = (_known("chain", known), head(facts.now, facts.head_at, limits))
    return next((verdict for verdict in verdicts if not verdict.ok), verdicts[0])


def head(now: datetime, head_at: datetime | None, limits: GateLimits = DEFAULTS) -> Verdict:
    """The newest block that the chain's endpoint knows is of the present."""
    age = None if head_at is None else age_ms(now, head_at)
    return _within("chain", "head_ms", age, limits.head_ms)


def _within(name: str, figure: str, observed: int | None, most: int) -> Verdict:
    """Allow a number of milliseconds up to its limit on either side, itself included; one that is not known fails, and so does a time
    that is still to come: it says nothing of the present."""
    ok = observed is not None and abs(observed) <= most
    seen = {figure: "unknown" if observed is None else str(observed)}
    return Verdict(name, ok, "" if ok else figure.removesuffix("_ms"), seen, {figure: str(most)})


def _version(account: Account, engine_version: str) -> Verdict:
    same = bool(engine_version) and account.active_version == engine_version
    observed, limit = {"engine": engine_version}, {"active_version": account.active_version}
    return Verdict("version", same, "" if same else "other_version", observed, limit)


def _venue(facts: ProcessFacts) -> Verdict:
    venue = _known("venue", {"venue_open": facts.venue_open}, facts.venue_note)
    if not venue.ok:
        return venue
    free = None if facts.closed_only is None else not facts.closed_only
    return _known("venue", {"may_open": free}, "" if free is None else "closed_only")


def _brakes(facts: ProcessFacts, limits: GateLimits) -> Verdict:
    """The account's own brakes; those of one market or leader bar only that."""
    if facts.incidents is None:
        return Verdict("brakes", False, "brakes", {"incidents": "unknown"})
    recent = _recent(facts, limits)
    reviews = sum(1 for incident in recent if incident.trouble is Trouble.REVIEW)
    troubles = len(recent) - reviews
    ok = troubles < limits.account_troubles and reviews < limits.account_reviews
    observed = {"troubles": str(troubles), "reviews": str(reviews)}
    limit = {"troubles": f"below {limits.account_troubles}", "reviews": f"below {limits.account_reviews}"}
    return Verdict("brakes", ok, "" if ok else "brakes", observed, limit)


def _recent(facts: ProcessFacts, limits: GateLimits) -> list[Incident]:
    since = facts.now - limits.brake_window
    return [i for i in facts.incidents or () if i.trouble is Trouble.REVIEW or i.at > since]


def _barred(facts: ProcessFacts, limits: GateLimits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Leaders and markets that are paused or braked."""
    recent = _recent(facts, limits)
    markets = _braked(Counter((i.condition_id, i.trouble) for i in recent), limits)
    leaders = _braked(Counter((i.leader, i.trouble) for i in recent if i.trouble is not Trouble.REVIEW), limits)
    for pause in facts.account.pauses:
        if pause.scope is PauseScope.LEADER:
            leaders.add(pause.subject.lower())
        elif pause.scope is PauseScope.MARKET:
            markets.add(pause.subject)
    return tuple(sorted(leaders)), tuple(sorted(markets))


def _braked(counts: Counter[tuple[str, Trouble]], limits: GateLimits) -> set[str]:
    most = {
        Trouble.UNKNOWN: limits.unknown,
        Trouble.REJECTED: limits.rejected,
        Trouble.UNSETTLED: limits.unsettled,
        Trouble.REVIEW: limits.market_reviews,
    }
    return {subject for (subject, trouble), count in counts.items() if count >= most[trouble]}
