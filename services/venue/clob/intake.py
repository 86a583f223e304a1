"""Taking orders in: each request becomes a line of the journal with its time of receipt, whatever comes of it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from services.venue.accounts import Kind
from services.venue.clob.parse import Malformed, read_order
from services.venue.clob.scripted import Script
from services.venue.clob.tuning import Killed, Tuning
from services.venue.credentials import ApiKey
from services.venue.deployments import Deployments
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import Placement, PostedOrder
from services.venue.refusals import NOT_ENOUGH, Refusal
from services.venue.region import Region

# Orders whose number of attempts is known.
REMEMBERED = 10_000


class Intake:
    """`at_ms` is when the body had been read; `raw` the body itself, of which the journal keeps the SHA-256. A
    deposit wallet has to be deployed: it vouches for its signatures itself."""

    def __init__(
        self,
        exchange: Exchange,
        journal: Journal,
        script: Script,
        deployments: Deployments,
        tuning: Callable[[], Tuning],
        region: Region,
    ) -> None:
        self._exchange = exchange
        self._script = script
        self._tuning = tuning
        self._region = region
        self._journal = journal
        self._deployments = deployments
        self._vouching: set[str] = set()
        self._received: OrderedDict[bytes, int] = OrderedDict()

    async def post(self, payload: object, raw: bytes, key: ApiKey, at_ms: int, seen: int) -> Placement:
        """Place one order of this key; `seen` is how many orders had been taken when its request came in."""
        try:
            posted = read_order(payload, key, self._exchange.contract_of)
            self._region.check_order(posted)
            await self._require_vouched(posted)
        except Refusal as refusal:
            self.refuse(refusal, raw, key.address, at_ms)
            return Placement("", error=refusal.text, http_status=refusal.status)
        wallet = await self._exchange.wallets.known(posted.signed.maker)
        if wallet.paused:
            # Whoever has paused is looked at anew: nobody else tells when he goes on.
            await self._exchange.wallets.read(posted.signed.maker)
        told = self._script.take(posted)
        refused = Placement(posted.order_hash, error=told.written(posted), http_status=told.status) if told else None
        made = await self._place(posted, seen) if told is None or told.after else refused
        assert made is not None
        if made.killed and self._tuning().killed is Killed.UNMATCHED:
            made = Placement(posted.order_hash, "unmatched", killed=True)
        self._note(posted, made, raw, at_ms)
        if refused:
            self._journal.note("scripted_refusal", hash=posted.order_hash, error=refused.error, placed=made.ok)
        return refused or made

    async def _place(self, posted: PostedOrder, seen: int) -> Placement:
        made = self._exchange.place(posted, seen)
        # His money may have come on the chain since it was looked at.
        if made.error.startswith(NOT_ENOUGH) and await self._exchange.wallets.renewed(posted.signed.maker):
            return self._exchange.place(posted, seen)
        return made

    async def _require_vouched(self, posted: PostedOrder) -> None:
        # The chain asks a deposit wallet itself: one that is not there has signed nothing.
        wallet = posted.signed.maker
        if posted.signed.signature_type != Kind.DEPOSIT or wallet in self._vouching:
            return
        if not await self._deployments.has(wallet):
            raise Refusal("invalid signature")
        self._vouching.add(wallet)

    def refuse(self, error: Exception, raw: bytes, maker: str, at_ms: int) -> None:
        """Note a request that names no order of its sender, with the field that is wrong where it is one."""
        wrong = {"field": error.field, "expected": error.expected} if isinstance(error, Malformed) else {}
        self._journal.note("order_refused", at_ms=at_ms, maker=maker, error=str(error), raw=_digest(raw), **wrong)

    def attempts(self, order_hash: str) -> int:
        """How often this order was sent."""
        return self._received.get(order_hash[2:].encode(), 0)

    def _note(self, posted: PostedOrder, made: Placement, raw: bytes, at_ms: int) -> None:
        name = posted.order_hash[2:].encode()
        attempt = self._received[name] = self._received.pop(name, 0) + 1
        if len(self._received) > REMEMBERED:
            self._received.popitem(last=False)
        self._journal.note(
            "order_received",
            at_ms=at_ms,
            hash=posted.order_hash,
            owner=posted.owner,
            maker=posted.signed.maker,
            token=posted.token_id,
            side=str(posted.side),
            price_micros=posted.price_micros,
            shares_micros=posted.shares_micros,
            usdc_micros=posted.usdc_micros,
            type=str(posted.order_type),
            attempt=attempt,
            raw=_digest(raw),
            outcome="accepted" if made.ok else "refused",
            status=made.status,
            error=made.error,
            trade_ids=list(made.trade_ids),
        )


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
