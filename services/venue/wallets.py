"""What the venue believes wallets have: read from the chain, moved by matches, and read again when asked to or when a match fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from httpx import HTTPError

from services.venue.bank import Bank
from services.venue.contracts import ALL, Contract
from services.venue.model import Part, Side, Trade
from services.venue.node.errors import RpcError

SETTLED_WITHIN_S = 10.0
# Nobody reads a wallet as of a block before these.
REMEMBERED_BLOCKS = 64
# The real venue follows the chain by itself: whoever asks again after this long is told what it says now.
BELIEVED_MS = 1_000


@dataclass(slots=True)
class Wallet:
    """Spendable amounts. Cash leaves when a trade is matched and arrives when it is mined; shares likewise."""

    cash_micros: int = 0
    allowances: dict[Contract, int] = field(default_factory=dict[Contract, int])
    approved: frozenset[Contract] = frozenset()
    tokens: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    # Whose exchanges settle nothing of this wallet's, because it has told them so.
    paused: frozenset[Contract] = frozenset()
    read_at_ms: int = 0

    def allowance_micros(self, contract: Contract) -> int:
        """What the exchange of these contracts may take of the cash."""
        return self.allowances.get(contract, 0)


class Wallets:
    """Every wallet that was ever looked at. `through` waits until all that a block settled was told to `mined`."""

    def __init__(
        self,
        bank: Bank,
        tokens: Iterable[str],
        through: Callable[[int], Awaitable[None]],
        now_ms: Callable[[], int],
    ) -> None:
        self._bank = bank
        self._tokens = list(tokens)
        self._through = through
        self._now_ms = now_ms
        self._known: dict[str, Wallet] = {}
        self._pending: defaultdict[str, list[Part]] = defaultdict(list)
        self._mined: defaultdict[str, deque[tuple[int, Part]]] = defaultdict(deque)
        self._forgotten_at = 0
        self._line = asyncio.Lock()
        self._readers: list[Callable[[str], None]] = []

    def learn(self, tokens: Iterable[str]) -> None:
        """Read these tokens too from now on."""
        self._tokens += tokens

    def on_read(self, reader: Callable[[str], None]) -> None:
        """Called with the address of each wallet that was read."""
        self._readers.append(reader)

    @property
    def looked_at(self) -> list[str]:
        """The addresses of all that were ever looked at, in lower case."""
        return list(self._known)

    def get(self, address: str) -> Wallet:
        """A wallet as it is believed to be; an unknown one has nothing."""
        return self._known.get(address.lower(), Wallet())

    async def known(self, address: str) -> Wallet:
        """The wallet, read from the chain where it was never looked at."""
        return self._known.get(address.lower()) or await self.read(address)

    async def renewed(self, address: str) -> bool:
        """Whether the wallet was read anew: not where that was just done, nor where the chain says nothing now."""
        if self._now_ms() - self.get(address).read_at_ms < BELIEVED_MS:
            return False
        try:
            await self.read(address)
        except (RpcError, HTTPError, TimeoutError):
            return False
        return True

    async def read(self, address: str) -> Wallet:
        """Read cash, approvals and tokens anew, and set trades off that the block read knows nothing of. Raises TimeoutError
        where the chain cannot be followed, and the node's errors."""
        name = address.lower()
        async with self._line:
            found = await self._bank.holdings(address, self._tokens, ALL)
            # Only when every trade of that block is known as mined can the others be told from them.
            async with asyncio.timeout(SETTLED_WITHIN_S):
                await self._through(found.block)
            held = defaultdict(int, found.tokens)
            wallet = Wallet(found.cash_micros, found.allowances, found.approved, held, found.paused)
            wallet.read_at_ms = self._now_ms()
            for part in self._pending[name]:
                _take(wallet, part)
            for block, part in self._mined.get(name, ()):
                if block > found.block:
                    _take(wallet, part)
                    _bring(wallet, part)
            self._known[name] = wallet
        for reader in self._readers:
            reader(name)
        return wallet

    def matched(self, trade: Trade) -> None:
        """What the trade takes is gone at once."""
        for part in trade.parts:
            name = part.order.posted.wallet
            _take(self._known.setdefault(name, Wallet()), part)
            self._pending[name].append(part)

    def mined(self, trade: Trade, block: int) -> None:
        """What the trade brings has arrived."""
        for part in trade.parts:
            name = part.order.posted.wallet
            _bring(self._known[name], part)
            self._pending[name].remove(part)
            self._mined[name].append((block, part))
        if block >= self._forgotten_at + REMEMBERED_BLOCKS:
            self._forget(block)

    def unmined(self, trade: Trade) -> None:
        """What the trade brought is gone again, and what it took is on its way."""
        for part in trade.parts:
            name = part.order.posted.wallet
            _bring(self._known[name], part, -1)
            self._pending[name].append(part)
            self._mined[name] = deque(one for one in self._mined[name] if one[1] is not part)

    def _forget(self, block: int) -> None:
        self._forgotten_at = block
        for name, parts in list(self._mined.items()):
            while parts and parts[0][0] <= block - REMEMBERED_BLOCKS:
                parts.popleft()
            if not parts:
                del self._mined[name]

    def failed(self, trade: Trade) -> None:
        """What it took is back, as far as is known; `reread` asks the chain."""
        for part in trade.parts:
            name = part.order.posted.wallet
            self._pending[name].remove(part)
            _give_back(self._known[name], part)

    async def reread(self, trade: Trade) -> None:
        """Read everyone who had a part in it."""
        for address in dict.fromkeys(part.order.posted.signed.maker for part in trade.parts):
            await self.read(address)


def _take(wallet: Wallet, part: Part) -> None:
    if part.order.posted.side is Side.BUY:
        wallet.cash_micros -= part.usdc_micros + part.fee_micros
    else:
        wallet.tokens[part.order.posted.token_id] -= part.shares_micros


def _give_back(wallet: Wallet, part: Part) -> None:
    if part.order.posted.side is Side.BUY:
        wallet.cash_micros += part.usdc_micros + part.fee_micros
    else:
        wallet.tokens[part.order.posted.token_id] += part.shares_micros


def _bring(wallet: Wallet, part: Part, times: int = 1) -> None:
    if part.order.posted.side is Side.BUY:
        wallet.tokens[part.order.posted.token_id] += times * part.shares_micros
    else:
        wallet.cash_micros += times * (part.usdc_micros - part.fee_micros)
