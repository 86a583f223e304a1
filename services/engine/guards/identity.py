"""Guards of identity: that this copy has no order that may live, and that nobody copies himself."""

from services.common.domain.account import AccountState
from services.common.domain.follow import FollowState
from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.generation import allows_another
from services.engine.guards.answer import allow, missing, unless

WELCOME = {
    "follow": "active",
    "account": "active",
    "market": "not denied",
    "denied_tags": "none",
    "leader": "none of our wallets",
    "own_counterparties": "none",
}


def idempotency(case: Case) -> Verdict:
    """No intent of this copy may still fill: none exists, or the last one is final with nothing filled."""
    intent = case.copy.intent
    if intent is None:
        return allow({"intent": "none"}, {"intent": "none or final"})
    observed = {"intent": str(intent.state), "generation": str(intent.generation)}
    return unless({"intent_exists": not allows_another(case.copy)}, observed, {"intent": "none or final"})


def parties(case: Case) -> Verdict:
    """The follow is active, the account takes entries, neither the market nor its subjects are denied, and no party is one of our
    wallets: neither the leader nor whoever he traded with."""
    follow, account, own, policy = case.follow, case.account, case.own_wallets, case.policy
    if follow is None:
        return missing("follow")
    if own is None:
        return missing("own_wallets")
    if unknown := _unknown(case):
        return missing(unknown[0])
    ours, leader = {wallet.lower() for wallet in own}, case.trade.leader.lower()
    market, tags = case.market.condition_id if case.market else "", (case.market and case.market.tags) or ()
    met, denied = (
        sorted(ours.intersection(case.trade.counterparties or ())),
        sorted({*tags}.intersection(policy.denied_tags)),
    )
    reasons = {
        "follow_closed": follow.state is not FollowState.ACTIVE,
        "account_disabled": account.state is not AccountState.ACTIVE,
        "market_denied": market in policy.denied_markets,
        "tag_denied": bool(denied),
        "own_wallet": leader in ours,
        "own_counterparty": bool(met),
    }
    observed = {
        "follow": str(follow.state),
        "account": str(account.state),
        "market": market,
        "denied_tags": " ".join(denied) or "none",
        "leader": leader,
        "own_counterparties": " ".join(met) or "none",
    }
    return unless(reasons, observed, WELCOME)


def _unknown(case: Case) -> list[str]:
    """The facts of the trade and its market that the parties are judged by and that are not known."""
    market, policy = case.market, case.policy
    facts = {
        "market": bool(policy.denied_markets or policy.denied_tags) and market is None,
        "tags": bool(policy.denied_tags) and (market is None or market.tags is None),
        "counterparties": case.trade.counterparties is None,
    }
    return [name for name, unknown in facts.items() if unknown]
