"""What the signer allows: every rule at its bound and one step beyond, and nothing that passes is outside of any."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain.market import Side
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.order import order_hash
from services.common.signing.key import LocalKey
from services.signer import policy
from services.signer.policy import RULES, Asked, Denied, Past, Rules, verdict
from tests.signer_world import KEY, NOON, WALLET, ZERO, fields, rules

NOW = int(NOON.timestamp() * 1000)
STRANGER = "0x" + "12" * 20
RULED = rules(LocalKey(KEY))
USDC = 1_000_000


def asked(*, generation: int = 1, deadline_ms: int = NOW + 15_000, stored: str = "", **changes: Any) -> Asked:
    order = fields(**changes)
    computed = order_hash(order)
    return Asked("copy", generation, stored or computed, computed, order, deadline_ms)


def rule(one: Asked, past: Past | None = None, ruled: Rules = RULED) -> str:
    """The rule that refuses; empty where none does."""
    denied = verdict(one, ruled, past or Past(), NOW)
    return denied.rule if denied else ""


SELL = {"side": Side.SELL, "maker_amount": 10 * USDC, "taker_amount": 5 * USDC}


@pytest.mark.parametrize(
    ("at", "beyond", "name"),
    [
        ({}, {"stored": "0x" + "ab" * 32}, "hash"),
        ({"chain_id": 137}, {"chain_id": 80002}, "chain"),
        ({"exchange": PRODUCTION.exchange_address.lower()}, {"exchange": STRANGER}, "exchange"),
        ({"exchange": PRODUCTION.neg_risk_exchange_address}, {"exchange": PRODUCTION.ctf_address}, "exchange"),
        (
            {"exchange": PRODUCTION.exchange_v3_address, "domain_version": "3"},
            {"exchange": PRODUCTION.exchange_v3_address, "domain_version": "2"},
            "exchange",
        ),
        ({"domain_version": "2"}, {"domain_version": "3"}, "exchange"),
        ({"maker": WALLET.lower()}, {"maker": STRANGER}, "maker"),
        ({"signer": WALLET.upper().replace("X", "x")}, {"signer": STRANGER}, "signer"),
        ({"signature_type": 0}, {"signature_type": 1}, "signature_type"),
        ({"builder": ZERO}, {"builder": "0x" + "00" * 31 + "01"}, "builder"),
        ({"metadata": ZERO}, {"metadata": "0x" + "00" * 31 + "01"}, "metadata"),
        ({"maker_amount": 1}, {"maker_amount": 0}, "amounts"),
        ({"maker_amount": 1, "taker_amount": 2}, {"taker_amount": 0}, "amounts"),
        ({"token_id": "1"}, {"token_id": "0"}, "amounts"),
        ({"maker_amount": 10 * USDC - 1}, {"maker_amount": 10 * USDC}, "price"),
        (SELL | {"taker_amount": 10 * USDC - 1}, SELL | {"taker_amount": 10 * USDC}, "price"),
        (
            {"maker_amount": 250 * USDC, "taker_amount": 500 * USDC},
            {"maker_amount": 250 * USDC + 1, "taker_amount": 500 * USDC},
            "amount",
        ),
        ({"taker_amount": 100_000 * USDC}, {"taker_amount": 100_000 * USDC + 1}, "shares"),
        (SELL | {"maker_amount": 100_000 * USDC}, SELL | {"maker_amount": 100_000 * USDC + 1}, "shares"),
        ({"timestamp_ms": NOW + 5_000}, {"timestamp_ms": NOW + 5_001}, "made_ahead_ms"),
        (
            {"timestamp_ms": NOW - 105_000},
            {"timestamp_ms": NOW - 105_001},
            "lifetime_ms",
        ),
        ({"deadline_ms": NOW}, {"deadline_ms": NOW - 1}, "late_ms"),
        ({"deadline_ms": NOW + 120_000}, {"deadline_ms": NOW + 120_001}, "lifetime_ms"),
        ({"generation": 1}, {"generation": 0}, "generation"),
        ({"generation": 3}, {"generation": 4}, "generation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_at_its_bound_and_one_step_beyond(at: dict[str, Any], beyond: dict[str, Any], name: str):
    assert rule(asked(**at)) == ""
    assert rule(asked(**beyond)) == name


def others(count: int) -> frozenset[str]:
    return frozenset(f"0x{n:064x}" for n in range(count))


@pytest.mark.parametrize(
    ("at", "beyond", "name"),
    [
        (Past(orders=others(2)), Past(orders=others(3)), "generations"),
        (Past(last_second=49), Past(last_second=50), "orders_per_second"),
        (Past(last_minute=1_199), Past(last_minute=1_200), "orders_per_minute"),
        (Past(), Past(halted_by=("ops",)), "halted"),
    ],
    ids=["generations", "per second", "per minute", "halted"],
)
def test_what_was_signed_before_counts(at: Past, beyond: Past, name: str):
    assert rule(asked(), at) == ""
    assert rule(asked(), beyond) == name


def test_the_very_order_may_be_signed_again_however_much_was_signed_since():
    again = asked()
    full = Past(frozenset({again.computed_hash}) | others(2), last_second=50, last_minute=1_200)

    assert rule(again, full) == ""
    assert rule(asked(salt=2), full) == "generations"
    assert rule(again, replace(full, halted_by=("engine",))) == "halted"


@pytest.mark.parametrize(
    ("kind", "signer", "name"),
    [(1, "key", ""), (2, "key", ""), (3, "key", "signer"), (1, "wallet", "signer"), (3, "wallet", "")],
)
def test_a_contract_wallets_orders_name_its_key_and_a_deposit_wallets_the_wallet(kind: int, signer: str, name: str):
    ruled = replace(RULED, wallet=STRANGER, signature_type=kind)
    named = {"key": WALLET, "wallet": STRANGER}[signer]

    assert rule(asked(maker=STRANGER, signer=named, signature_type=kind), ruled=ruled) == name


def test_a_refusal_says_what_it_saw_and_what_it_allows():
    denied = verdict(asked(maker_amount=251 * USDC, taker_amount=500 * USDC), RULED, Past(), NOW)

    assert denied == Denied("amount", "251000000", "at most 250000000")
    assert str(denied) == "amount: 251000000, allowed is at most 250000000"


def test_a_policy_without_any_one_of_its_rules_would_allow_more(monkeypatch: pytest.MonkeyPatch):
    alone = {
        "_halted": (asked(), Past(halted_by=("ops",))),
        "_hash": (asked(stored=ZERO), Past()),
        "_chain": (asked(chain_id=1), Past()),
        "_exchange": (asked(exchange=STRANGER), Past()),
        "_maker": (asked(maker=STRANGER), Past()),
        "_signer": (asked(signer=STRANGER), Past()),
        "_signature_type": (asked(signature_type=2), Past()),
        "_extras": (asked(builder="0x" + "01" * 32), Past()),
        "_amounts": (asked(maker_amount=0), Past()),
        "_price": (asked(maker_amount=11 * USDC), Past()),
        "_order_size": (asked(maker_amount=300 * USDC, taker_amount=500 * USDC), Past()),
        "_shares": (asked(taker_amount=200_000 * USDC), Past()),
        "_made": (asked(timestamp_ms=NOW + 6_000), Past()),
        "_lifetime": (asked(deadline_ms=NOW + 200_000), Past()),
        "_deadline": (asked(deadline_ms=NOW - 1), Past()),
        "_generation": (asked(generation=9), Past()),
        "_generations": (asked(), Past(orders=others(3))),
        "_per_second": (asked(), Past(last_second=50)),
        "_per_minute": (asked(), Past(last_minute=1_200)),
    }

    assert set(alone) == {one.__name__ for one in RULES}
    for name, (one, past) in alone.items():
        assert rule(one, past) != "", name
        with monkeypatch.context() as patched:
            patched.setattr(policy, "RULES", tuple(kept for kept in RULES if kept.__name__ != name))
            assert rule(one, past) == "", name


AMOUNTS = st.one_of(st.integers(0, 20 * USDC), st.integers(0, 200_000 * USDC))


@given(
    maker=AMOUNTS,
    taker=AMOUNTS,
    side=st.sampled_from(Side),
    generation=st.integers(0, 5),
    made=st.integers(-130_000, 10_000),
    deadline=st.integers(-10, 130_000),
    before=st.integers(0, 4),
    second=st.integers(45, 55),
)
def test_whatever_is_allowed_is_within_every_limit(
    maker: int, taker: int, side: Side, generation: int, made: int, deadline: int, before: int, second: int
):
    one = asked(
        generation=generation,
        deadline_ms=NOW + deadline,
        maker_amount=maker,
        taker_amount=taker,
        side=side,
        timestamp_ms=NOW + made,
    )
    if verdict(one, RULED, Past(others(before), last_second=second, last_minute=second), NOW) is not None:
        return
    usdc, shares = (maker, taker) if side is Side.BUY else (taker, maker)
    assert 0 < usdc < shares <= 100_000 * USDC
    assert side is Side.SELL or usdc <= 250 * USDC
    assert 1 <= generation <= 3
    assert before <= 2
    assert second <= 49
    assert made <= 5_000
    assert 0 <= deadline <= 120_000 + made
