"""Whose the splits, merges, redemptions and conversions of a transaction were, and that the markets' own shares moved for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.venue.data import logs as reading
from services.venue.data.logs import NOBODY, Converted, Log, Moved
from services.venue.model import MICRO, Market
from services.venue.node import addresses

DEEPEST_ADAPTER = 4
_SETS = (reading.SPLIT, reading.MERGE, reading.REDEEM)
_ROUTED = (reading.ROUTED_SPLIT, reading.ROUTED_MERGE, reading.ROUTED_REDEEM)
_TOKENS = addresses.CONDITIONAL_TOKENS.lower()
_ADAPTER = addresses.NEG_RISK_ADAPTER.lower()
_ROUTER = addresses.ROUTER.lower()
_BURNT = addresses.NEG_RISK_BURNT.lower()


class Paid(Protocol):
    """What a share of each outcome of a resolved condition pays, in millionths."""

    @property
    def micros(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Told:
    """One row. `place` orders it within its block; `burned` are the shares of each outcome that a redemption took;
    `given` and `got` are the tokens that a conversion exchanged."""

    place: int
    kind: str
    wallet: str
    market: Market
    micros: int
    outcome: int = -1
    burned: tuple[int, int] = (0, 0)
    given: tuple[str, ...] = ()
    got: tuple[str, ...] = ()


class Moves:
    """What one transaction moved. Whatever a row was told for is taken, so that it is told once."""

    def __init__(self, placed: list[tuple[int, Moved]]) -> None:
        self._left = placed

    def has(self, fits: Callable[[int, Moved], bool]) -> bool:
        return any(fits(place, moved) for place, moved in self._left)

    def take(self, fits: Callable[[int, Moved], bool], *, last: bool = True) -> Moved | None:
        """The last that fits, or the first."""
        found = [at for at, (place, moved) in enumerate(self._left) if fits(place, moved)]
        return self._left.pop(found[-1 if last else 0])[1] if found else None


class Conversions:
    """Reads logs in their order. `contracts` hold shares for others only; `exchanges`, which are among them, mint and merge for a match."""

    def __init__(
        self,
        market_of: Callable[[str], Market | None],
        markets: Mapping[str, Market],
        payouts: Mapping[str, Paid],
        contracts: Collection[str],
        exchanges: Collection[str],
    ) -> None:
        self._market_of = market_of
        self._markets = markets
        self._payouts = payouts
        self._contracts = contracts
        self._exchanges = exchanges

    def read(self, log: Log, moves: Moves) -> Iterator[Told]:
        """The rows of a log: none where it is of no market here, where nothing moved, or where no wallet is behind it."""
        if log.topics[0] == reading.CONVERTED and log.address == _ADAPTER:
            yield from self._converted(log, moves)
        elif _tells(log):
            one = reading.read_converted(log)
            market = self._markets.get(one.condition_id)
            # What the adapter splits for itself, within a conversion or for somebody whom its own log names.
            if market is not None and not (log.address == _TOKENS and one.holder == _ADAPTER):
                yield from self._of_market(log, one, market, moves)

    def _of_market(self, log: Log, one: Converted, market: Market, moves: Moves) -> Iterator[Told]:
        other = _ADAPTER if log.address == _ADAPTER else NOBODY
        moved = self._moved(log.place, one, market, other, moves)
        wallet = self._behind(log.place, one, market, moved, moves) if any(moved) else NOBODY
        if wallet == NOBODY or wallet in self._contracts:
            return
        payout = self._payouts.get(one.condition_id)
        if one.kind != "REDEEM" or payout is None:
            yield Told(log.place, one.kind, wallet, market, one.amount_micros)
            return
        # The conditional tokens redeem both outcomes at once, also the one that pays nothing; the router one.
        outcomes = [outcome for outcome in range(2) if moved[outcome] or log.address != _ROUTER]
        for outcome in outcomes:
            paid = moved[outcome] * payout.micros[outcome] // MICRO
            burned = moved if outcome == outcomes[0] else (0, 0)
            yield Told(log.place + outcome, one.kind, wallet, market, paid, outcome, burned)

    def _moved(self, place: int, one: Converted, market: Market, other: str, moves: Moves) -> tuple[int, int]:
        """How many of the market's own shares of each outcome the holder got or gave; sets are of both, or they are of another
        collateral and none of the market's."""

        def fits(token: str) -> Callable[[int, Moved], bool]:
            ends = (other, one.holder) if one.kind == "SPLIT" else (one.holder, other)
            return lambda at, moved: (
                at < place
                and (moved.sender, moved.receiver, moved.token_id) == (*ends, token)
                and (one.kind == "REDEEM" or moved.shares_micros == one.amount_micros)
            )

        wanted = [fits(token) for token in market.tokens]
        # What moved of one outcome alone is left for whatever it is told by.
        if one.kind != "REDEEM" and not all(map(moves.has, wanted)):
            return 0, 0
        yes, no = map(moves.take, wanted)
        return yes.shares_micros if yes else 0, no.shares_micros if no else 0

    def _behind(self, place: int, one: Converted, market: Market, moved: tuple[int, int], moves: Moves) -> str:
        """The wallet that an adapter did it for: it got the shares from it, or gave them to it before. What an exchange mints and
        merges inside a match is its own."""
        holder = one.holder
        for _ in range(DEEPEST_ADAPTER):
            if holder not in self._contracts or holder in self._exchanges:
                return holder
            steps = [
                moves.take(_step(place, holder, token, shares, gives=one.kind == "SPLIT"), last=one.kind != "SPLIT")
                for token, shares in zip(market.tokens, moved, strict=True)
                if shares
            ]
            step = next((one for one in steps if one is not None), None)
            if step is None:
                return holder
            holder = step.receiver if one.kind == "SPLIT" else step.sender
        return holder

    def _converted(self, log: Log, moves: Moves) -> Iterator[Told]:
        """No-shares of some questions became yes-shares of the others: a row of the first market that was given up."""
        one, group = reading.read_converted(log), log.topics[2]
        given = self._all(log.place, one, group, (one.holder, _BURNT), moves)
        got = self._all(log.place, one, group, (_ADAPTER, one.holder), moves)
        market = self._market_of(given[0]) if given else None
        if market is not None and one.holder not in self._contracts:
            yield Told(log.place, one.kind, one.holder, market, one.amount_micros, given=given, got=got)

    def _all(self, place: int, one: Converted, group: str, ends: tuple[str, str], moves: Moves) -> tuple[str, ...]:
        """Every token of the neg-risk market that went that way, in the chain's order."""

        def fits(at: int, moved: Moved) -> bool:
            market = self._market_of(moved.token_id)
            return (
                at < place
                and (moved.sender, moved.receiver, moved.shares_micros) == (*ends, one.amount_micros)
                and market is not None
                and market.neg_risk_market_id == group
            )

        found: list[str] = []
        while moved := moves.take(fits, last=False):
            found.append(moved.token_id)
        return tuple(found)


def _tells(log: Log) -> bool:
    """Whether a conversion is told of by this log. The collateral's adapters tell what these have told already."""
    topic = log.topics[0]
    return (topic in _SETS and log.address == _TOKENS) or (topic in _ROUTED and log.address in (_ROUTER, _ADAPTER))


def _step(place: int, holder: str, token: str, shares: int, *, gives: bool) -> Callable[[int, Moved], bool]:
    """A move of these shares that a contract made after its split, or was made before its merge or redemption."""

    def fits(at: int, moved: Moved) -> bool:
        if moved.token_id != token or moved.shares_micros != shares or NOBODY in (moved.sender, moved.receiver):
            return False
        return at > place and moved.sender == holder if gives else at < place and moved.receiver == holder

    return fits
