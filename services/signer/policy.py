"""What may be signed. Pure: the rules of a wallet, what is asked, what was signed before, and the time."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side

GENERATIONS = 3
ZERO = "0x" + "00" * 32


@dataclass(frozen=True, slots=True)
class Rules:
    """What one wallet's key may sign; addresses are lower-case. Amounts in micro-USDC and micro-shares, times in milliseconds.

    `exchanges` are the contracts that orders may be for, each with the version of its domain.
    """

    wallet: str
    key: str
    signature_type: int
    chain_id: int
    exchanges: frozenset[tuple[str, str]]
    max_order_micros: int = 250_000_000
    max_shares_micros: int = 100_000_000_000
    max_per_second: int = 50
    max_per_minute: int = 1_200
    max_lifetime_ms: int = 120_000
    max_clock_ahead_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One stored intent, with the hash that was computed here from its fields, and the one that it came with."""

    copy_id: str
    generation: int
    order_hash: str
    computed_hash: str
    fields: OrderFields
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Past:
    """What was signed before: the orders of this copy, and how many of this wallet within the last second and minute; and its halts."""

    orders: frozenset[str] = frozenset()
    last_second: int = 0
    last_minute: int = 0
    halted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """The first rule that does not allow it."""

    rule: str
    observed: str
    limit: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.observed}, allowed is {self.limit}"


@dataclass(frozen=True, slots=True)
class _Case:
    asked: Asked
    rules: Rules
    past: Past
    now_ms: int

    @property
    def again(self) -> bool:
        """The very order has been signed before: it may be signed as often as it is asked for."""
        return self.asked.computed_hash in self.past.orders


def verdict(asked: Asked, rules: Rules, past: Past, now_ms: int) -> Denied | None:
    """Why the order may not be signed; None where it may."""
    case = _Case(asked, rules, past, now_ms)
    return next((denied for rule in RULES if (denied := rule(case)) is not None), None)


def _halted(case: _Case) -> Denied | None:
    return Denied("halted", ", ".join(case.past.halted_by), "nobody") if case.past.halted_by else None


def _hash(case: _Case) -> Denied | None:
    return _equal("hash", case.asked.order_hash, case.asked.computed_hash)


def _chain(case: _Case) -> Denied | None:
    return _equal("chain", str(case.asked.fields.chain_id), str(case.rules.chain_id))


def _exchange(case: _Case) -> Denied | None:
    fields = case.asked.fields
    if (fields.exchange.lower(), fields.domain_version) in case.rules.exchanges:
        return None
    allowed = ", ".join(f"{exchange} version {version}" for exchange, version in sorted(case.rules.exchanges))
    return Denied("exchange", f"{fields.exchange} version {fields.domain_version}", allowed)


def _maker(case: _Case) -> Denied | None:
    return _equal("maker", case.asked.fields.maker.lower(), case.rules.wallet)


def _signer(case: _Case) -> Denied | None:
    # A deposit wallet signs in its own name, with its owner's key.
    named = case.rules.wallet if case.rules.signature_type == DEPOSIT_WALLET else case.rules.key
    return _equal("signer", case.asked.fields.signer.lower(), named)


def _signature_type(case: _Case) -> Denied | None:
    return _equal("signature_type", str(case.asked.fields.signature_type), str(case.rules.signature_type))


def _extras(case: _Case) -> Denied | None:
    # Nothing of ours sets them, and a builder takes a fee.
    fields = case.asked.fields
    return _equal("builder", fields.builder.lower(), ZERO) or _equal("metadata", fields.metadata.lower(), ZERO)


def _amounts(case: _Case) -> Denied | None:
    fields = case.asked.fields
    least = min(fields.maker_amount, fields.taker_amount, int(fields.token_id))
    return Denied("amounts", str(least), "above 0") if least <= 0 else None


def _price(case: _Case) -> Denied | None:
    usdc, shares = _sides(case.asked.fields)
    return Denied("price", f"{usdc} for {shares} shares", "below 1") if usdc >= shares else None


def _order_size(case: _Case) -> Denied | None:
    """What a BUY pays at most. A SELL pays in shares, which the next rule bounds."""
    fields = case.asked.fields
    paid = fields.maker_amount if fields.side is Side.BUY else 0
    return _most("amount", paid, case.rules.max_order_micros)


def _shares(case: _Case) -> Denied | None:
    return _most("shares", _sides(case.asked.fields)[1], case.rules.max_shares_micros)


def _made(case: _Case) -> Denied | None:
    ahead = case.asked.fields.timestamp_ms - case.now_ms
    return _most("made_ahead_ms", ahead, case.rules.max_clock_ahead_ms)


def _lifetime(case: _Case) -> Denied | None:
    lifetime = case.asked.deadline_ms - case.asked.fields.timestamp_ms
    return _most("lifetime_ms", lifetime, case.rules.max_lifetime_ms)


def _deadline(case: _Case) -> Denied | None:
    late = case.now_ms - case.asked.deadline_ms
    return _most("late_ms", late, 0)


def _generation(case: _Case) -> Denied | None:
    asked = case.asked.generation
    return None if 1 <= asked <= GENERATIONS else Denied("generation", str(asked), f"1 to {GENERATIONS}")


def _generations(case: _Case) -> Denied | None:
    signed = len(case.past.orders)
    return None if case.again else _most("generations", signed + 1, GENERATIONS)


def _per_second(case: _Case) -> Denied | None:
    return None if case.again else _most("orders_per_second", case.past.last_second + 1, case.rules.max_per_second)


def _per_minute(case: _Case) -> Denied | None:
    return None if case.again else _most("orders_per_minute", case.past.last_minute + 1, case.rules.max_per_minute)


def _sides(fields: OrderFields) -> tuple[int, int]:
    """USDC and shares of the order, in millionths."""
    pair = (fields.maker_amount, fields.taker_amount)
    return pair if fields.side is Side.BUY else (pair[1], pair[0])


def _equal(rule: str, observed: str, allowed: str) -> Denied | None:
    return None if observed == allowed else Denied(rule, observed, allowed)


def _most(rule: str, observed: int, most: int) -> Denied | None:
    return None if observed <= most else Denied(rule, str(observed), f"at most {most}")


DEPOSIT_WALLET = 3

RULES: tuple[Callable[[_Case], Denied | None], ...] = (
    _halted,
    _hash,
    _chain,
    _exchange,
    _maker,
    _signer,
    _signature_type,
    _extras,
    _amounts,
    _price,
    _order_size,
    _shares,
    _made,
    _lifetime,
    _deadline,
    _generation,
    _generations,
    _per_second,
    _per_minute,
)
