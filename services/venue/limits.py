"""How much the venue lets anybody ask: windows per address, and buckets of orders and cancels per signer (venue.md 3.11).

Times are arguments, in milliseconds: the venue's clock may be a virtual one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from enum import StrEnum

SECOND_MS = 1_000
TEN_S_MS = 10 * SECOND_MS
TEN_MIN_MS = 600 * SECOND_MS
# Beyond its limit an address is slowed down before it is refused: so much of the limit more, each request later than the last.
SLOWED = 10


class Mode(StrEnum):
    """`off`: nobody counts. `warn`: everything passes, and signers are told when it would not have. `on`: it does not."""

    OFF = "off"
    WARN = "warn"
    ON = "on"


@dataclass(frozen=True, slots=True)
class Rule:
    """So many requests of one address within so long; `path` of several surfaces begins with theirs, and one that ends in a
    slash goes on. Nothing below `beside` counts."""

    methods: tuple[str, ...]
    paths: tuple[str, ...]
    windows: tuple[tuple[int, int], ...]
    beside: str = ""

    def covers(self, method: str, path: str) -> bool:
        if (self.methods and method not in self.methods) or (self.beside and path.startswith(self.beside)):
            return False
        return any(path.startswith(one) if one.endswith("/") else path == one for one in self.paths)


def _reads(path: str, most: int) -> Rule:
    return Rule((), (path,), ((most, TEN_S_MS),))


def _trades(method: str, path: str, burst: int, sustained: int) -> Rule:
    return Rule((method,), (path,), ((burst, TEN_S_MS), (sustained, TEN_MIN_MS)))


LISTINGS = ("/gamma/markets", "/gamma/markets/keyset", "/gamma/events", "/gamma/events/keyset")
RULES = (
    _reads("/clob/", 9_000),
    _reads("/clob/ok", 100),
    _trades("POST", "/clob/order", 5_000, 120_000),
    _trades("DELETE", "/clob/order", 5_000, 120_000),
    _trades("POST", "/clob/orders", 2_000, 21_000),
    _trades("DELETE", "/clob/orders", 2_000, 15_000),
    _trades("DELETE", "/clob/cancel-all", 250, 6_000),
    _trades("DELETE", "/clob/cancel-market-orders", 1_500, 21_000),
    _reads("/clob/book", 1_500),
    _reads("/clob/books", 500),
    _reads("/clob/price", 1_500),
    _reads("/clob/prices", 500),
    _reads("/clob/midpoint", 1_500),
    _reads("/clob/midpoints", 500),
    _reads("/clob/prices-history", 1_000),
    _reads("/clob/tick-size", 200),
    Rule(
        ("GET",),
        ("/clob/data/orders", "/clob/data/trades", "/clob/data/order/", "/clob/notifications"),
        ((900, TEN_S_MS),),
    ),
    _reads("/clob/data/orders", 500),
    _reads("/clob/data/trades", 500),
    _reads("/clob/notifications", 125),
    _reads("/clob/balance-allowance", 200),
    _reads("/clob/balance-allowance/update", 50),
    _reads("/clob/auth/", 100),
    Rule((), ("/data/",), ((1_000, TEN_S_MS),), beside="/data/v2/"),
    _reads("/data/trades", 200),
    _reads("/data/positions", 150),
    _reads("/data/closed-positions", 150),
    _reads("/data/v2/", 800),
    _reads("/data/v2/trades", 300),
    _reads("/data/v2/activity", 200),
    _reads("/data/v2/positions", 200),
    _reads("/gamma/", 4_000),
    Rule((), LISTINGS, ((900, TEN_S_MS),)),
    Rule((), ("/gamma/markets", "/gamma/markets/keyset"), ((300, TEN_S_MS),)),
    Rule((), ("/gamma/events", "/gamma/events/keyset"), ((500, TEN_S_MS),)),
    _reads("/gamma/public-search", 350),
)


@dataclass(frozen=True, slots=True)
class Admission:
    """How long an answer is kept back, or, of a request that is refused, after how long it may be sent again: 0 where neither."""

    delay_ms: int = 0
    retry_ms: int = 0


class Windows:
    """What each address has asked for lately, by rule. A request that is refused is not counted."""

    def __init__(self) -> None:
        self._asked: defaultdict[tuple[str, Rule, int], deque[int]] = defaultdict(deque)

    def admit(self, address: str, method: str, path: str, now_ms: int) -> Admission:
        """What becomes of a request; it is counted where it is not refused."""
        windows = [
            (self._asked[address, rule, span], most, span)
            for rule in RULES
            if rule.covers(method, path)
            for most, span in rule.windows
        ]
        delay, retry = 0, 0
        for asked, most, span in windows:
            while asked and asked[0] <= now_ms - span:
                asked.popleft()
            beyond = len(asked) - most
            if beyond >= max(most // SLOWED, 1):
                retry = max(retry, asked[0] + span - now_ms)
            elif beyond >= 0:
                delay = max(delay, (beyond + 1) * min(span, TEN_S_MS) // most)
        if retry:
            return Admission(retry_ms=retry)
        for asked, _, _ in windows:
            asked.append(now_ms)
        return Admission(delay_ms=delay)


@dataclass(frozen=True, slots=True)
class Tier:
    """Tokens a second and at most, of orders and of cancels; `debt` lets a cancel of everything go below nothing."""

    name: str
    order_rate: int
    order_burst: int
    cancel_rate: int
    cancel_burst: int
    debt: bool = True


TIERS = {
    tier.name: tier
    for tier in (
        Tier("Standard", 40, 60, 80, 120),
        Tier("Copper", 60, 90, 120, 180),
        Tier("Bronze", 80, 120, 160, 240),
        Tier("Silver", 200, 300, 400, 600),
        Tier("Gold", 400, 600, 800, 1_200),
        Tier("Platinum", 450, 675, 900, 1_350, debt=False),
        Tier("Diamond", 525, 787, 1_050, 1_575, debt=False),
        Tier("Elite", 600, 900, 1_200, 1_800, debt=False),
    )
}


@dataclass(slots=True)
class Bucket:
    """Tokens in thousandths: a rate a second is so many of them a millisecond."""

    rate: int
    burst: int
    milli: int
    at_ms: int

    def fill(self, now_ms: int) -> None:
        gained = self.rate * max(now_ms - self.at_ms, 0)
        self.milli, self.at_ms = min(self.burst * 1_000, self.milli + gained), now_ms

    def wait_ms(self, cost: int) -> int:
        """Until there is enough for this cost; 0 where there is."""
        return -(-max(cost * 1_000 - self.milli, 0) // self.rate)


@dataclass(frozen=True, slots=True)
class Spent:
    """What became of a request: whether it fits, and what its signer is told."""

    fits: bool
    remaining: int
    wait_ms: int
    tier: str


class Buckets:
    """Two for each signer. A batch costs as many tokens as it names orders, and passes whole or not at all."""

    def __init__(self) -> None:
        self.tiers: dict[str, str] = {}
        self._buckets: dict[tuple[str, bool], Bucket] = {}

    def spend(self, signer: str, cost: int, now_ms: int, *, cancels: bool, enforced: bool) -> Spent:
        """Take the cost out where it is there, and where nothing is `enforced`."""
        tier = self.tier(signer)
        bucket = self._bucket(signer, tier, now_ms, cancels=cancels)
        wait = bucket.wait_ms(cost)
        if not wait or not enforced:
            bucket.milli = max(bucket.milli - cost * 1_000, 0)
        return Spent(not wait, bucket.milli // 1_000, wait, tier.name)

    def owe(self, signer: str, cost: int, now_ms: int) -> int:
        """Take the cost of what a cancel turned out to be; the tokens that are left, which may be fewer than none."""
        tier = self.tier(signer)
        bucket = self._bucket(signer, tier, now_ms, cancels=True)
        left = bucket.milli - cost * 1_000
        bucket.milli = left if tier.debt else max(left, 0)
        return bucket.milli // 1_000

    def tier(self, signer: str) -> Tier:
        return TIERS[self.tiers.get(signer.lower(), "Standard")]

    def assign(self, signer: str, tier: str) -> None:
        """Give a signer another tier, and full buckets of it."""
        self.tiers[signer.lower()] = tier
        for cancels in (False, True):
            self._buckets.pop((signer.lower(), cancels), None)

    def _bucket(self, signer: str, tier: Tier, now_ms: int, *, cancels: bool) -> Bucket:
        rate, burst = (tier.cancel_rate, tier.cancel_burst) if cancels else (tier.order_rate, tier.order_burst)
        bucket = self._buckets.setdefault((signer.lower(), cancels), Bucket(rate, burst, burst * 1_000, now_ms))
        bucket.fill(now_ms)
        return bucket
