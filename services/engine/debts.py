"""The shell around exits: a leader's SELL becomes a step, what is owed becomes attempts, and an exit that is over closes its debts."""

import hashlib
from dataclasses import dataclass

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain.account import Account
from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, ExitState, Place, Step, exit_id
from services.common.domain.lifecycle import TERMINAL, CopyState
from services.common.domain.market import Market
from services.common.domain.trade import LeaderTrade, idempotency_key
from services.common.ports.chain import Chain, Receipt
from services.common.ports.stores import Stores
from services.common.ports.venue import Markets, VenueUnavailable
from services.engine import exits, metrics
from services.engine.claims import Claim
from services.engine.exits import Due, DueKind
from services.engine.lookout import Lookout
from services.engine.stock import Ground, read_ground
from services.engine.timing import Timing

log = structlog.get_logger()

NOTHING_HELD = "nothing_held"
REORG_BLOCKS = 256

REFUSED_BY = {"below_minimum": "sizing", "resolved": "viability", "sold_elsewhere": "position"}
"""The guard whose rule ends an exit, by the reason of its end: a skipped debt names it as a skipped entry does."""

_REASONS = {ExitState.DUST: "below_minimum", ExitState.RESOLVED: "resolved", ExitState.EXTERNAL: "sold_elsewhere"}


@dataclass(frozen=True, slots=True)
class Sale:
    """What an exit attempt is to sell now, the parked debts that share its fate, and what it may sell from."""

    shares_micros: int
    members: tuple[str, ...]
    settled_micros: int | None
    others_micros: int


class Debts:
    """Exits of one account."""

    def __init__(self, stores: Stores, chain: Chain, markets: Markets, lookout: Lookout, timing: Timing) -> None:
        self._stores = stores
        self._chain = chain
        self._markets = markets
        self._lookout = lookout
        self._timing = timing

    async def owe(self, claim: Claim, debt: Copy) -> None:
        """Make a claimed SELL a step of its exit, and park it there. Raises `ChainUnavailable`: what he gave up is never guessed."""
        step = await self._step(debt)
        if step is None:
            await self._stores.copies.release(claim.ref, self._timing.put_back, self._lookout.now())
            return
        now = self._lookout.now()
        crashpoint("mid_exit_owed")
        exit_ = await self._stores.exits.owe(
            exit_id(debt.follow_id, debt.trade.token_id),
            debt.account_id,
            debt.follow_id,
            debt.trade.token_id,
            step,
            now,
        )
        crashpoint("after_exit_owed")
        if exit_.state is not ExitState.OPEN or not await self._touches(debt):
            if await self._stores.copies.skip(claim.ref, NOTHING_HELD, None, now):
                metrics.ENDS.labels(NOTHING_HELD).inc()
        elif not await self._stores.copies.park(claim.ref, exit_.exit_id, now):
            await self._with_its_exit(claim, exit_.exit_id)

    async def _with_its_exit(self, claim: Claim, exit_id_: str) -> None:
        # The exit has ended, here or elsewhere, between its step and the parking.
        exit_ = await self._stores.exits.get(exit_id_)
        if exit_ is not None and exit_.state is not ExitState.OPEN:
            name = REFUSED_BY.get(_REASONS.get(exit_.state, ""), NOTHING_HELD)
            await self._stores.copies.skip(claim.ref, name, None, self._lookout.now())

    async def _touches(self, debt: Copy) -> bool:
        """Whether the follow has bought, or may yet buy, any of the token before this SELL."""
        here = exits.place(debt)
        entries = await self._stores.copies.of_token(debt.account_id, debt.trade.token_id, debt.follow_id)
        return any(exits.place(entry) < here for entry in entries)

    async def _step(self, debt: Copy) -> Step | None:
        """The leader's net decrease in the debt's transaction; None while it is not mined."""
        trade = debt.trade
        receipt = await self._chain.receipt(trade.tx_hash) or await self._moved(trade)
        if receipt is None or not receipt.ok:
            return None
        before = await self._before(trade.leader, trade.token_id, receipt)
        return Step(
            key=_step_key(debt),
            place=Place(receipt.block_number, trade.log_index),
            decrease_micros=_decrease(receipt, trade.leader, trade.token_id),
            before_micros=before,
        )

    async def _moved(self, trade: LeaderTrade) -> Receipt | None:
        """The transaction that a reorg has moved this trade to; the trade keeps the key that it was first seen by."""
        amounts = (trade.shares_micros, trade.usdc_micros)
        for found in await self._chain.fills_of_order(trade.order_hash, max(trade.block_number - REORG_BLOCKS, 0)):
            if (found.fill.shares_micros, found.fill.usdc_micros) == amounts:
                return await self._chain.receipt(found.tx_hash)
        return None

    async def _before(self, leader: str, token_id: str, receipt: Receipt) -> int:
        """His balance just before the transaction: at the end of the block before, moved by what came earlier in its block."""
        balance = await self._chain.token_balance(leader, token_id, receipt.block_number - 1)
        moves = await self._chain.transfers_in_block(leader, token_id, receipt.block_number)
        first = min((move.log_index for move in moves if _same(move.tx_hash, receipt.tx_hash)), default=0)
        for move in moves:
            if move.log_index < first:
                balance += _signed(move.sender, move.receiver, leader) * move.shares_micros
        return balance

    async def turn(self, account: Account) -> bool:
        """Look at every open exit once; True when something was written."""
        now = self._lookout.now()
        exits_ = await self._stores.exits.open_ones(account.account_id)
        oldest = min((exit_.opened_at for exit_ in exits_), default=now)
        metrics.EXIT_OPEN_SECONDS.labels(account.account_id).set((now - oldest).total_seconds())
        return any([await self._advance(account, exit_) for exit_ in exits_])

    async def _advance(self, account: Account, exit_: Exit) -> bool:
        if exit_.open_attempt:
            return await self._close(exit_)
        ground = await read_ground(self._stores, self._chain, account, exit_)
        due = await self._due(ground)
        match due.kind:
            case DueKind.SELL:
                return await self._open(ground, due.shares_micros)
            case DueKind.END:
                return await self._end(ground, due.state or ExitState.MET, due.reason)
            case DueKind.WAIT:
                return False

    async def _close(self, exit_: Exit) -> bool:
        attempt = await self._stores.copies.get(exit_.open_attempt)
        over = attempt is not None and (attempt.state in TERMINAL or attempt.state is CopyState.EXECUTED)
        return over and await self._stores.exits.close_attempt(exit_.exit_id, exit_.open_attempt)

    async def _due(self, ground: Ground) -> Due:
        market = await self._market(ground.exit.token_id)
        return exits.due(ground.exit, ground.entries, ground.attempts, ground.stock, market, self._lookout.now())

    async def _market(self, token_id: str) -> Market | None:
        # A market that cannot be read is one that is not known: its exits wait.
        try:
            return await self._markets.by_token(token_id)
        except VenueUnavailable:
            return None

    async def sale(self, account: Account, attempt: Copy) -> Sale | str:
        """What an attempt is to sell, derived anew; or why it sells nothing now. `wait` means later."""
        exit_ = await self._stores.exits.get(attempt.exit_id)
        if exit_ is None:
            return "no_exit"
        ground = (await read_ground(self._stores, self._chain, account, exit_)).without(attempt.copy_id)
        due = await self._due(ground)
        match due.kind:
            case DueKind.SELL:
                parked = (debt.copy_id for debt in ground.debts if debt.state is CopyState.DETECTED)
                return Sale(due.shares_micros, tuple(parked), ground.stock.settled_micros, ground.stock.others_micros)
            case DueKind.END:
                return due.reason
            case DueKind.WAIT:
                return "wait"

    async def _open(self, ground: Ground, shares_micros: int) -> bool:
        if not ground.debts:
            return False
        attempt = _attempt(ground, shares_micros, self._lookout)
        return await self._stores.exits.open_attempt(ground.exit.exit_id, ground.exit.version, attempt)

    async def _end(self, ground: Ground, state: ExitState, reason: str) -> bool:
        now = self._lookout.now()
        # Debts first: an exit that is over is not looked at again. One whose step came after this look is not judged by it.
        known = {step.key for step in ground.exit.steps}
        for debt in ground.debts:
            if _step_key(debt) in known:
                await self._close_debt(debt, ground, reason)
        done = await self._stores.exits.end(ground.exit.exit_id, ground.exit.version, state, now)
        if done:
            log.info("exit_over", exit=ground.exit.exit_id, state=str(state), reason=reason)
        return done

    async def _close_debt(self, debt: Copy, ground: Ground, reason: str) -> None:
        now = self._lookout.now()
        if debt.state is CopyState.DETECTED:
            await self._stores.copies.close_member(debt.copy_id, CopyState.SKIPPED, _refused_by(reason, ground), now)
        elif debt.state is CopyState.EXECUTING:
            sold = any(one.copy_id == debt.member_of and one.filled_micros for one in ground.attempts)
            state = CopyState.EXECUTED if sold else CopyState.FAILED
            await self._stores.copies.close_member(debt.copy_id, state, "" if sold else reason, now)


def _step_key(debt: Copy) -> str:
    return f"{debt.trade.leader}|{debt.trade.token_id}|{debt.trade.tx_hash}"


def _refused_by(reason: str, ground: Ground) -> str:
    """What a debt that no attempt took with it is skipped for. Where all that is owed was sold, he had nothing left for it to sell,
    or what it asks for is less than can be sold."""
    held = exits.holding_micros(ground.entries, ground.attempts) >= LOT_MICROS
    return REFUSED_BY.get(reason, "sizing" if held else NOTHING_HELD)


def _attempt(ground: Ground, shares_micros: int, lookout: Lookout) -> Copy:
    """Attempt n of an exit, in the words of the debt that came last: its price is what the leader got."""
    exit_, now = ground.exit, lookout.now()
    last = max(ground.debts, key=lambda debt: (debt.trade.block_number, debt.trade.log_index))
    number = exit_.attempts + 1
    key = idempotency_key(exit_.account_id, f"exit|{exit_.follow_id}|{exit_.token_id}|{number}")
    return Copy(
        copy_id=hashlib.sha256(f"copy|{key}".encode()).hexdigest()[:32],
        idempotency_key=key,
        account_id=exit_.account_id,
        follow_id=exit_.follow_id,
        kind=CopyKind.EXIT,
        trade=last.trade,
        policy=last.policy,
        policy_version=last.policy_version,
        detected_at=now,
        claimable_at=now,
        exit_id=exit_.exit_id,
        attempt_number=number,
        owed_micros=shares_micros,
        title=last.title,
        slug=last.slug,
        outcome=last.outcome,
    )


def _decrease(receipt: Receipt, leader: str, token_id: str) -> int:
    moves = (move for move in receipt.transfers if move.token_id == token_id)
    return -sum(_signed(move.sender, move.receiver, leader) * move.shares_micros for move in moves)


def _signed(sender: str, receiver: str, wallet: str) -> int:
    return _same(receiver, wallet) - _same(sender, wallet)


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
