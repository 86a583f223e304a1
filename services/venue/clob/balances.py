"""What an owner may spend, and whether he may open anything at all (venue.md 3.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import Kind, account_of
from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.contracts import ALL, tokens_of
from services.venue.credentials import ApiKey
from services.venue.exchange import Exchange
from services.venue.refusals import Refusal

KINDS = {str(kind.value): kind for kind in Kind}


class Balances:
    """`/balance-allowance` of the owner's wallet of one signature type; `/update` reads the chain anew."""

    def __init__(self, exchange: Exchange, gate: Gate) -> None:
        self._exchange = exchange
        self._gate = gate

    def routes(self) -> list[Route]:
        return [
            Route("/balance-allowance", endpoint(self.balance)),
            Route("/balance-allowance/update", endpoint(self.update)),
            Route("/auth/ban-status/closed-only", endpoint(self.closed_only)),
        ]

    async def closed_only(self, request: Request) -> Any:
        await self._gate.reader(request)
        return {"closed_only": False}

    async def balance(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        wallet = await self._exchange.wallets.known(_wallet(key, asked))
        if asked.get("asset_type") == "COLLATERAL":
            return _spendable(wallet.cash_micros, {one.exchange: held for one, held in wallet.allowances.items()})
        if asked.get("asset_type") != "CONDITIONAL" or self._exchange.market_of(asked.get("token_id", "")) is None:
            raise Refusal("invalid asset type or token id")
        held = wallet.tokens.get(asked["token_id"], 0)
        spenders = [one for one in ALL if one.tokens == tokens_of(asked["token_id"]) and one in wallet.allowances]
        return _spendable(
            held, {one.exchange: shapes.FAR_ALLOWANCE if one in wallet.approved else 0 for one in spenders}
        )

    async def update(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        await self._exchange.wallets.read(_wallet(key, request.query_params))
        return ""


def _wallet(key: ApiKey, asked: Any) -> str:
    """The wallet that a question about money means: the owner's of that signature type."""
    kind = asked.get("signature_type", "0")
    if kind not in KINDS:
        raise Refusal("invalid signature_type")
    return account_of(key.address).wallets(KINDS[kind])[0]


def _spendable(balance: int, allowances: Mapping[str, int]) -> dict[str, Any]:
    return {"balance": str(max(balance, 0)), "allowances": {one: str(allowed) for one, allowed in allowances.items()}}
