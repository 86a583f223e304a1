"""What an owner may spend, and whether he may open anything at all (venue.md 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import Kind
from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.tuning import Allowances, Tuning
from services.venue.contracts import ALL, is_position_id, tokens_of
from services.venue.credentials import ApiKey
from services.venue.deployments import Deployments
from services.venue.engine.restrictions import Standing
from services.venue.exchange import Exchange
from services.venue.refusals import Refusal

KINDS = {str(kind.value): kind for kind in Kind}


class Balances:
    """`/balance-allowance` of the owner's wallet of one signature type; `/update` reads the chain anew."""

    def __init__(self, exchange: Exchange, gate: Gate, deployments: Deployments, tuning: Callable[[], Tuning]) -> None:
        self._exchange = exchange
        self._tuning = tuning
        self._deployments = deployments
        self._gate = gate

    def routes(self) -> list[Route]:
        return [
            Route("/balance-allowance", endpoint(self.balance)),
            Route("/balance-allowance/update", endpoint(self.update)),
            Route("/auth/ban-status/closed-only", endpoint(self.closed_only)),
        ]

    async def closed_only(self, request: Request) -> Any:
        key = await self._gate.reader(request)
        return {"closed_only": self._exchange.restrictions.standing(key.address) is not Standing.OPEN}

    async def balance(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        token = self._token(asked)
        owner = await self._wallet(key, asked)
        wallet = await self._exchange.wallets.known(owner)
        if await self._exchange.wallets.renewed(owner):
            wallet = self._exchange.wallets.get(owner)
        if token is None:
            return self._spendable(wallet.cash_micros, {one.exchange: held for one, held in wallet.allowances.items()})
        spenders = [one for one in ALL if one.tokens == tokens_of(token) and one in wallet.allowances]
        return self._spendable(
            wallet.tokens.get(token, 0),
            {one.exchange: shapes.FAR_ALLOWANCE if one in wallet.approved else 0 for one in spenders},
        )

    async def update(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        await self._exchange.wallets.read(await self._wallet(key, request.query_params))
        return ""

    def _spendable(self, balance: int, allowances: Mapping[str, int]) -> dict[str, Any]:
        written = {one: str(allowed) for one, allowed in allowances.items()}
        if self._tuning().allowances is Allowances.SINGULAR:
            return {"balance": str(max(balance, 0)), "allowance": next(iter(written.values()), "0")}
        return {"balance": str(max(balance, 0)), "allowances": written}

    async def _wallet(self, key: ApiKey, asked: Mapping[str, str]) -> str:
        """The wallet that a question about money means: the owner's of that signature type."""
        kind = asked.get("signature_type", "0")
        if kind not in KINDS:
            raise Refusal("invalid signature_type")
        return await self._deployments.wallet_of(key.address, KINDS[kind])

    def _token(self, asked: Mapping[str, str]) -> str | None:
        """The token that is asked about; None where it is cash. A token of one protocol is none of the other."""
        kind = asked.get("asset_type")
        if kind == "COLLATERAL":
            return None
        token = asked.get("token_id") or asked.get("asset_id", "")
        if self._exchange.market_of(token) is None or kind != ("CONDITIONAL", "CONDITIONAL-V2")[is_position_id(token)]:
            raise Refusal("invalid asset type or token id")
        return token
