"""Takes tokens of resolved markets off the books: those that pay nothing, and those that have been paid out on the chain, all or a part."""

import asyncio
from collections.abc import Mapping

import structlog
from prometheus_client import Counter

from services.common.domain.account import Account, ExposureChange
from services.common.domain.fill import Position
from services.common.ports.chain import Chain, ChainUnavailable
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.ports.venue import Markets, VenueUnavailable
from services.reconciler import ledger
from services.reconciler.diff import DATA_API_DUST_MICROS
from services.reconciler.redemptions import Redemptions
from services.reconciler.settle import StillMine
from services.reconciler.under_way import moving

log = structlog.get_logger()

BOOKED = Counter(
    "polycopy_reconciler_resolved_total",
    "Tokens of resolved markets taken off the books, by whether they paid",
    ["paid"],
)


class Resolutions:
    """One account's. Nobody asks for a payout here; whoever redeems, tokens go from the chain and their cash comes."""

    def __init__(self, account: Account, stores: Stores, chain: Chain, markets: Markets, clock: Clock) -> None:
        self._account = account
        self._stores = stores
        self._chain = chain
        self._markets = markets
        self._clock = clock
        self._redemptions = Redemptions(account, stores, chain)

    async def turn(self, still_mine: StillMine) -> int:
        """Book what is over, for as long as this process may; how many tokens. Raises `StoreUnavailable`.

        A token that an order may have moved waits: what it has lost may have been sold.
        """
        account_id = self._account.account_id
        busy = await moving(self._stores, account_id)
        positions = await self._stores.positions.of([account_id])
        held = [one for one in positions if one.shares_micros and one.token_id not in busy]
        payouts = await self._payouts(held)
        block, left = await self._left([token for token, payout in payouts.items() if payout])
        booked = 0
        for position in held:
            payout = payouts.get(position.token_id)
            if payout is None:
                continue
            rest = left.get(position.token_id, position.shares_micros)
            if _is_over(position, payout, rest):
                if not await still_mine():
                    break
                booked += await self._book(ledger.resolve(position, payout, self._clock.now()), payout)
            elif rest < position.shares_micros:
                booked += await self._book_parts(position, payout, rest, block, still_mine)
        return booked

    async def _payouts(self, held: list[Position]) -> Mapping[str, int]:
        """What a share of each token pays whose market is resolved; a market that cannot be read now is looked at later."""
        found = await asyncio.gather(*(self._payout(one.token_id) for one in held))
        return {one.token_id: payout for one, payout in zip(held, found, strict=True) if payout is not None}

    async def _payout(self, token_id: str) -> int | None:
        try:
            market = await self._markets.by_token(token_id)
        except VenueUnavailable:
            return None
        return market.payout(token_id) if market else None

    async def _left(self, tokens: list[str]) -> tuple[int, Mapping[str, int]]:
        """The finalized block, and what the wallet has of these tokens at its end; nothing is known while the chain is away."""
        if not tokens:
            return 0, {}
        try:
            block = (await self._chain.head()).finalized
            found = [self._chain.token_balance(self._account.wallet, token, block) for token in tokens]
            return block, dict(zip(tokens, await asyncio.gather(*found), strict=True))
        except ChainUnavailable as error:
            log.warning("chain_away", text=str(error)[:200])
            return 0, {}

    async def _book_parts(
        self, position: Position, payout_micros: int, rest: int, block: int, still_mine: StillMine
    ) -> int:
        """Book what the chain says was paid out of a token of which the wallet has a `rest` still; how many transactions.

        Of what was never on the books nothing is taken off them: no more leaves than the wallet has less than they hold.
        """
        try:
            found = await self._redemptions.of(position, block)
        except ChainUnavailable as error:
            log.warning("chain_away", text=str(error)[:200])
            return 0
        lines = await self._stores.positions.ledger(position.account_id, position.token_id)
        known, booked = {line.order_hash for line in lines}, 0
        for one in found:
            shares = min(one.shares_micros, position.shares_micros - rest)
            if one.tx_hash in known or shares <= 0:
                continue
            part = ledger.redeem(position, shares, payout_micros, one.tx_hash, self._clock.now())
            if not (await still_mine() and await self._book(part, payout_micros)):
                return booked
            position, booked = part.position, booked + 1
        self._redemptions.seen(position.token_id, block)
        return booked

    async def _book(self, booked: ledger.Booked, payout_micros: int) -> bool:
        line = booked.line
        change = ExposureChange(line.at, held=booked.held, lost_micros=-line.realized_micros)
        done = await self._stores.positions.resolve(booked.position, line, change)
        if done:
            BOOKED.labels(str(bool(payout_micros)).lower()).inc()
            log.info(
                "resolved", token=line.token_id, shares_micros=-line.shares_micros, realized_micros=line.realized_micros
            )
        return done


def _is_over(position: Position, payout_micros: int, rest: int) -> bool:
    """Whether nothing more will come of what the books hold: it pays nothing, or it is gone.

    A redemption takes all that a wallet has; what somebody sends it afterwards does not undo that. Where a part is gone only, what
    became of it is for the chain's logs to tell; what they do not, the comparison names.
    """
    return payout_micros == 0 or rest < min(position.shares_micros, DATA_API_DUST_MICROS)
