"""Everything that a decision may look at, frozen: one copy, its account's line, the market, and the order that is proposed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from services.common.domain.account import Account, OpenIntent
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Step
from services.common.domain.follow import Follow, Policy
from services.common.domain.grouping import together
from services.common.domain.market import Book, Market, Side
from services.common.domain.money import MICRO, mul_div
from services.common.domain.trade import LeaderTrade
from services.engine.grouping import left


@dataclass(frozen=True, slots=True)
class Funds:
    """What the account's wallet may spend, as read at `read_at`: collateral and the exchange's allowance, in micro-USDC.

    `at_least` where orders have left the line since: all that they might have taken is taken off.
    """

    balance_micros: int
    allowance_micros: int
    read_at: datetime
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """The order that sizing and pricing propose.

    `usdc_micros` is the cost of a BUY at its limit price (all of it is spent where the book is better), or the least proceeds of a
    SELL; `fee_micros` the highest fee.
    """

    side: Side
    token_id: str
    shares_micros: int
    limit_micros: int
    usdc_micros: int
    fee_micros: int


@dataclass(frozen=True, slots=True)
class Case:
    """One copy to be judged at `now` (the database's clock) on the account's line at `account.seq`.

    None means not known, and refuses wherever a guard needs it.

    - `funds`: the wallet's collateral. `settled_micros`: settled shares of the token that are ours to sell by the books, or by the
      chain where that is lower; `others_micros`: what the account's other follows hold of it.
    - `recent_orders`: when the account's journaled attempts of the last minute were made. `repetitions`: entries in this token within
      `limits.repetition_window_ms` that nobody has acknowledged.
    - `members`: the trades that the order copies beside the copy's own, where it is for a group.
    - `own_wallets`: every wallet of ours. `marks`: the price of held tokens; one that is missing counts as zero.
    - `outcomes`: of tokens at risk in the market's neg-risk event, their places in their own markets, 0 for YES; one that is missing
      is taken to pay nothing.
    - `steps`: what the leader gave up of this token, for a BUY that an exit may have overtaken. `exit_opened_at`: since when the exit
      of an exit attempt is owed.
    - `deadline_at`: when the intent, if one is made, must have been sent.
    - `draft`: the order proposed, None until `pricing.drafted` and where none can be computed.
    """

    now: datetime
    copy: Copy
    account: Account
    follow: Follow | None = None
    market: Market | None = None
    book: Book | None = None
    funds: Funds | None = None
    settled_micros: int | None = None
    others_micros: int | None = None
    recent_orders: tuple[datetime, ...] | None = None
    repetitions: int | None = None
    own_wallets: frozenset[str] | None = None
    marks: Mapping[str, int] | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    steps: tuple[Step, ...] | None = None
    exit_opened_at: datetime | None = None
    deadline_at: datetime | None = None
    members: tuple[LeaderTrade, ...] = ()
    draft: Draft | None = None

    @property
    def is_entry(self) -> bool:
        """Whether the copy mirrors a BUY; everything else settles an exit."""
        return self.copy.kind is CopyKind.ENTRY

    @property
    def side(self) -> Side:
        return self.copy.side

    @property
    def policy(self) -> Policy:
        """The policy that the copy was made under."""
        return self.copy.policy

    @property
    def trade(self) -> LeaderTrade:
        """The leader's trade, or those of the whole group as one."""
        return together(self.copy.trade, self.members)

    @property
    def left(self) -> Fraction:
        """The part of what the leader bought that he has not given up since; all of it while his steps are not known."""
        return left((self.copy.trade, *self.members), self.steps or ())

    @property
    def age_ms(self) -> int:
        """How long ago the leader traded; negative when his trade lies ahead of the database's clock."""
        return age_ms(self.now, self.trade.traded_at)

    @property
    def held_micros(self) -> int:
        """What the account's settled holdings cost."""
        return sum(holding.cost_micros for holding in self.account.exposure.held.values())

    @property
    def marked_micros(self) -> int | None:
        """What the account's settled holdings are worth at their marks; the worse of the last mark and zero, where one is missing."""
        if self.marks is None:
            return None
        held = self.account.exposure.held.values()
        return sum(mul_div(holding.shares_micros, self.marks.get(holding.token_id, 0), MICRO) for holding in held)

    @property
    def unmarked_micros(self) -> int:
        """The most that settled holdings without a mark can be worth: a dollar a share."""
        held = self.account.exposure.held.values()
        return sum(holding.shares_micros for holding in held if holding.token_id not in (self.marks or {}))

    @property
    def equity_micros(self) -> int | None:
        """Cash and marked holdings; what a purchase has paid for, and the books do not hold yet, at its cost."""
        marked = self.marked_micros
        if self.funds is None or marked is None:
            return None
        arriving = sum(intent.usdc_micros for intent in self.in_flight(Side.BUY) if intent.matched)
        return self.funds.balance_micros + marked + arriving

    def in_flight(self, side: Side | None = None) -> Iterator[OpenIntent]:
        """The account's other intents that are unsettled or unknown, of one side or both."""
        for intent in self.account.exposure.open.values():
            if intent.copy_id != self.copy.copy_id and side in (None, intent.side):
                yield intent


def age_ms(now: datetime, then: datetime) -> int:
    """Whole milliseconds from `then` to `now`, rounded down."""
    return round((now - then).total_seconds() * 1_000_000) // 1000
