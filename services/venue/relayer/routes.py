"""`/relayer`: what the official clients ask of the relayer, and `/admin` for keys and wallets without asking it."""

from __future__ import annotations

from typing import Any

from eth_utils.address import is_hex_address, to_checksum_address
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Mount, Route

from services.venue.accounts import Kind, account_of
from services.venue.clob.answers import endpoint, unknown
from services.venue.clob.gate import signed_path
from services.venue.clob.parse import read_body
from services.venue.deployments import Deployments
from services.venue.node import addresses
from services.venue.refusals import Refusal
from services.venue.relayer.fields import Fields, invalid
from services.venue.relayer.keys import RelayerKeys
from services.venue.relayer.relay import Relay, Relayed, State
from services.venue.relayer.requests import Creation, read_submission

MOST_BODY_BYTES = 1 << 20
KINDS = {"WALLET": Kind.DEPOSIT, "SAFE": Kind.SAFE, "PROXY": Kind.PROXY}


class Relayer:
    """Reading is free; submitting wants a key."""

    def __init__(self, relay: Relay, keys: RelayerKeys, deployments: Deployments) -> None:
        self._relay = relay
        self._deployments = deployments
        self._keys = keys

    def routes(self) -> list[Mount | Route]:
        served = [
            Route("/deployed", endpoint(self.deployed)),
            Route("/v1/account/transactions/params", endpoint(self.params)),
            Route("/relay-payload", endpoint(self.payload)),
            Route("/submit", endpoint(self.submit), methods=["POST"]),
            Route("/v1/account/transactions/{transaction_id}", endpoint(self.transaction)),
        ]
        return [
            Mount("/relayer", app=Starlette(routes=served, exception_handlers={HTTPException: unknown})),
            Route("/admin/relayer-key", endpoint(self.give_key), methods=["POST"]),
            Route("/admin/wallets", endpoint(self.make_wallet), methods=["POST"]),
        ]

    async def deployed(self, request: Request) -> Any:
        _kind(request, Kind.DEPOSIT)
        return {"deployed": await self._deployments.has(_address(request))}

    async def params(self, request: Request) -> Any:
        """The number of the next transaction of the signer's wallet of this type."""
        signer, kind = _address(request), _kind(request)
        return {
            "address": signer,
            "nonce": str(await self._relay.nonce(await self._deployments.wallet_of(signer, kind))),
        }

    async def payload(self, request: Request) -> Any:
        """Who relays for a proxy, and under which number."""
        signer, kind = _address(request), _kind(request)
        return {
            "address": addresses.RELAYER,
            "nonce": str(await self._relay.nonce(await self._deployments.wallet_of(signer, kind))),
        }

    async def submit(self, request: Request) -> Any:
        raw = await request.body()
        self._keys.check(request.headers, request.method, signed_path(request), raw)
        if len(raw) > MOST_BODY_BYTES:
            raise invalid("body")
        wanted = read_submission(read_body(raw))
        sent = await (self._relay.create(wanted) if isinstance(wanted, Creation) else self._relay.submit(wanted))
        return {"transactionID": sent.transaction_id, "state": str(State.NEW), "transactionHash": ""}

    async def transaction(self, request: Request) -> Any:
        found = await self._relay.find(request.path_params["transaction_id"])
        if found is None:
            raise Refusal("transaction not found", 404)
        return _written(found)

    async def give_key(self, request: Request) -> Any:
        """A relayer key for an address, as the real site gives it to whoever is logged in."""
        address = Fields.of(read_body(await request.body())).address("address")
        return {"key": self._keys.of(address), "address": address}

    async def make_wallet(self, request: Request) -> Any:
        """Deploy a signer's wallet of a signature type (1, 2, 3; `old` for a deposit wallet from before the beacon)."""
        asked = Fields.of(read_body(await request.body()))
        account, number = account_of(asked.address("owner")), asked.values.get("signature_type")
        if number not in (1, 2, 3):
            raise invalid("signature_type")
        wallet = account.wallets(Kind(number))[1 if number == Kind.DEPOSIT and asked.values.get("old") is True else 0]
        return _written(await self._relay.create(Creation(account.signer, wallet, Kind(number)))) | {"wallet": wallet}


def _written(relayed: Relayed) -> dict[str, Any]:
    return {
        "transaction_id": relayed.transaction_id,
        "state": str(relayed.state),
        "transaction_hash": relayed.tx_hash,
        "error_msg": relayed.error,
        "from": relayed.owner,
        "proxy_wallet": relayed.wallet,
    }


def _address(request: Request) -> str:
    value = request.query_params.get("address", "")
    if not value.startswith("0x") or not is_hex_address(value):
        raise invalid("address")
    return to_checksum_address(value)


def _kind(request: Request, default: Kind | None = None) -> Kind:
    asked = request.query_params.get("type")
    kind = default if asked is None else KINDS.get(asked)
    if kind is None:
        raise invalid("type")
    return kind
