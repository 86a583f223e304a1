"""Signs: looks at what was signed before, judges, remembers, and only then uses the key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from services.common.domain.intent import OrderFields
from services.common.polymarket.eip712 import UnknownDomain, order_hash
from services.common.ports.clock import Clock
from services.common.ports.signer import SignerAway, SignerHalted, SignerRefused
from services.common.signing.key_signer import KeySigner
from services.signer import metrics
from services.signer.memory import EVERY_WALLET, Memory, MemoryUnusable
from services.signer.policy import Asked, Denied, Rules, verdict

log = structlog.get_logger()

AUTH_NONCE = 0
AUTH_SKEW_S = 300
AUTH_PER_MINUTE = 30
OPS = "ops"


class Refused(SignerRefused):
    """The policy does not allow it."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(str(denied))
        self.denied = denied


class Halted(SignerHalted):
    """The wallet is halted; by whom."""

    def __init__(self, by: tuple[str, ...]) -> None:
        super().__init__(f"halted by {', '.join(by)}")
        self.by = by


class NoSuchWallet(Exception):
    """No key of this wallet is held here."""


@dataclass(frozen=True, slots=True)
class Held:
    """One wallet with its key, and what that may sign."""

    wallet: str
    rules: Rules
    signer: KeySigner


@dataclass(frozen=True, slots=True)
class Order:
    """A stored intent as it is asked for."""

    copy_id: str
    generation: int
    order_hash: str
    fields: OrderFields
    deadline: datetime


class Desk:
    """Every wallet that is signed for here. `wanted` are those of the configuration; their keys come with `hold`."""

    def __init__(self, wanted: Iterable[str], memory: Memory, clock: Clock) -> None:
        self._wallets = {wallet.lower(): wallet for wallet in wanted}
        self._held: dict[str, Held] = {}
        self._memory = memory
        self._clock = clock
        self._auths: list[int] = []

    @property
    def held(self) -> Mapping[str, Held | None]:
        """Every wallet by its lower-case address; None while its key is not known."""
        return {wallet: self._held.get(wallet) for wallet in self._wallets}

    def hold(self, held: Held) -> None:
        """The key of a wallet is at hand."""
        self._held[held.wallet.lower()] = held

    async def sign_order(self, order: Order) -> str:
        """The signature. Raises `Refused`, `Halted`, `SignerAway` and `MemoryUnusable`."""
        held = self._of(order.fields.maker)
        asked, now_ms = _asked(order), self._now_ms()
        past = self._memory.past(held.rules.wallet, asked.copy_id, now_ms)
        if past.halted_by:
            metrics.ORDERS.labels("halted").inc()
            raise Halted(past.halted_by)
        denied = verdict(asked, held.rules, past, now_ms)
        if denied is not None:
            metrics.ORDERS.labels(denied.rule).inc()
            log.warning("order_refused", copy=asked.copy_id, rule=denied.rule, observed=denied.observed)
            raise Refused(denied)
        if asked.computed_hash not in past.orders:
            self._memory.remember(held.rules.wallet, asked.copy_id, asked.computed_hash, now_ms)
        signed = await held.signer.sign_order(order.fields)
        # A halt that came while a distant key was being used holds back what it gave.
        if by := self._memory.halted_by(held.rules.wallet):
            raise Halted(by)
        metrics.ORDERS.labels("signed").inc()
        log.info("order_signed", copy=asked.copy_id, order=asked.computed_hash, generation=asked.generation)
        return signed

    async def sign_auth(self, wallet: str, timestamp_s: int, nonce: int) -> str:
        """The signature of a `ClobAuth`. Raises `Refused` and `SignerAway`."""
        held, now_ms = self._of(wallet), self._now_ms()
        skew = abs(now_ms // 1_000 - timestamp_s)
        self._auths = [at for at in self._auths if at > now_ms - 60_000]
        if nonce != AUTH_NONCE:
            raise Refused(Denied("nonce", str(nonce), str(AUTH_NONCE)))
        if skew > AUTH_SKEW_S:
            raise Refused(Denied("timestamp_skew_s", str(skew), f"at most {AUTH_SKEW_S}"))
        if len(self._auths) >= AUTH_PER_MINUTE:
            raise Refused(Denied("auths_per_minute", str(len(self._auths) + 1), f"at most {AUTH_PER_MINUTE}"))
        self._auths.append(now_ms)
        return await held.signer.sign_auth(timestamp_s, nonce)

    def halted_by(self, wallet: str) -> tuple[str, ...]:
        """Who halted it."""
        return self._memory.halted_by(wallet.lower())

    def halt(self, wallet: str, by: str) -> None:
        """Sign no order of this wallet, or of any where it is empty. Raises `NoSuchWallet`."""
        self._memory.halt(self._named(wallet), by, self._now_ms())
        log.warning("halted", wallet=wallet or "all", by=by)

    def resume(self, wallet: str, by: str) -> None:
        """End the halts that the caller may end. Raises `NoSuchWallet`, and `Halted` where another remains."""
        named = self._named(wallet)
        self._memory.resume(named, None if by == OPS else by)
        remaining = self._memory.halted_by(named) if named else self._memory.any_halt()
        log.warning("resumed", wallet=wallet or "all", by=by, halted_by=remaining)
        if remaining:
            raise Halted(remaining)

    def _named(self, wallet: str) -> str:
        if wallet and wallet.lower() not in self._wallets:
            raise NoSuchWallet(wallet)
        return wallet.lower() or EVERY_WALLET

    def _of(self, wallet: str) -> Held:
        if wallet.lower() not in self._wallets:
            raise Refused(Denied("maker", wallet.lower(), ", ".join(sorted(self._wallets))))
        held = self._held.get(wallet.lower())
        if held is None:
            raise SignerAway(f"the key of {wallet} is not known yet")
        return held

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1_000)


def _asked(order: Order) -> Asked:
    try:
        computed = order_hash(order.fields)
    except (UnknownDomain, ValueError, OverflowError) as error:
        raise Refused(Denied("fields", str(error), "an order of the exchange")) from error
    deadline_ms = int(order.deadline.timestamp() * 1_000)
    return Asked(order.copy_id, order.generation, order.order_hash.lower(), computed, order.fields, deadline_ms)


__all__ = ["Desk", "Halted", "Held", "MemoryUnusable", "NoSuchWallet", "Order", "Refused"]
