"""Guards of identity: that this copy has no order that may live, and that nobody copies himself."""

from services.common.domain.account import AccountState
from services.common.domain.follow import FollowState
from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.generation import allows_another
from services.engine.guards.answer import allow, missing, unless


def idempotency(case: Case) -> Verdict:
    """No intent of this copy may still fill: none exists, or the last one is final with nothing filled."""
    intent = case.copy.intent
    if intent is None:
        return allow({"intent": "none"}, {"intent": "none or final"})
    observed = {"intent": str(intent.state), "generation": str(intent.generation)}
    return unless({"intent_exists": not allows_another(case.copy)}, observed, {"intent": "none or final"})


def parties(case: Case) -> Verdict:
    """The follow is active, the account takes entries, the market is not denied, and the leader is none of our wallets."""
    follow, account, own, market = case.follow, case.account, case.own_wallets, case.market
    denied = case.policy.denied_markets
    if follow is None or own is None or (denied and market is None):
        return missing("follow" if follow is None else "own_wallets" if own is None else "market")
    condition, leader = market.condition_id if market else "", case.trade.leader.lower()
    observed = {"follow": str(follow.state), "account": str(account.state), "market": condition, "leader": leader}
    limit = {"follow": "active", "account": "active", "market": "not denied", "leader": "none of our wallets"}
    reasons = {
        "follow_closed": follow.state is not FollowState.ACTIVE,
        "account_disabled": account.state is not AccountState.ACTIVE,
        "market_denied": condition in denied,
        "own_wallet": leader in {wallet.lower() for wallet in own},
    }
    return unless(reasons, observed, limit)
