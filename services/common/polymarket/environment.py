"""Where the venue is: the one place that knows its addresses; production by default, a testnet, or another venue by settings."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from services.common.domain.market import Market, TokenProtocol
from services.common.polymarket.order import Contract


class UnknownProtocol(ValueError):
    """A market of a token protocol that PolyCopy cannot settle; its orders are refused by this name."""


class UnknownNetwork(ValueError):
    """A network that is neither polygon nor amoy."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One venue: its URLs (path prefixes allowed) and its contracts. Field `x` is set by the setting `X`."""

    clob_url: str
    clob_ws_url: str
    data_api_url: str
    gamma_url: str
    rtds_url: str
    relayer_url: str
    geoblock_url: str
    rpc_url: str
    rpc_ws_url: str
    chain_id: int
    exchange_address: str
    neg_risk_exchange_address: str
    exchange_v3_address: str
    ctf_address: str
    collateral_address: str
    position_manager_address: str

    @property
    def market_ws_url(self) -> str:
        return self.clob_ws_url.rstrip("/") + "/market"

    @property
    def user_ws_url(self) -> str:
        return self.clob_ws_url.rstrip("/") + "/user"

    @property
    def exchanges(self) -> tuple[str, ...]:
        """Every exchange whose `OrderFilled` logs count."""
        return (self.exchange_address, self.neg_risk_exchange_address, self.exchange_v3_address)

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """The exchanges with the domain version that orders are signed under."""
        versions = ("2", "2", "3")
        return tuple(Contract(self.chain_id, at, version) for at, version in zip(self.exchanges, versions, strict=True))

    def contract(self, market: Market) -> Contract:
        """The exchange that orders of this market are signed for; raises `UnknownProtocol` by name."""
        if market.protocol is TokenProtocol.CTF:
            exchange = self.neg_risk_exchange_address if market.neg_risk else self.exchange_address
            return Contract(self.chain_id, exchange, "2")
        if market.protocol is TokenProtocol.POSITIONS:
            return Contract(self.chain_id, self.exchange_v3_address, "3")
        raise UnknownProtocol(f"market {market.condition_id} has an unknown token protocol")


PRODUCTION = Endpoints(
    clob_url="https://clob.polymarket.com",
    clob_ws_url="wss://ws-subscriptions-clob.polymarket.com/ws",
    data_api_url="https://data-api.polymarket.com",
    gamma_url="https://gamma-api.polymarket.com",
    rtds_url="wss://ws-live-data.polymarket.com",
    relayer_url="https://relayer-v2.polymarket.com",
    geoblock_url="https://polymarket.com/api/geoblock",
    rpc_url="https://polygon-bor-rpc.publicnode.com",
    rpc_ws_url="wss://polygon-bor-rpc.publicnode.com",
    chain_id=137,
    exchange_address="0xE111180000d2663C0091e4f400237545B87B996B",
    neg_risk_exchange_address="0xe2222d279d744050d28e00520010520000310F59",
    exchange_v3_address="0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
    ctf_address="0x4D97DCd97eC945f40cF65F87097ACe5EA0476045",
    collateral_address="0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB",
    position_manager_address="0x006F54F7f9A22e0000CC2AB60031000000ae9fEF",
)

AMOY = replace(
    PRODUCTION,
    clob_url="https://clob-staging.polymarket.com",
    rpc_url="https://polygon-amoy-bor-rpc.publicnode.com",
    rpc_ws_url="wss://polygon-amoy-bor-rpc.publicnode.com",
    chain_id=80002,
    exchange_v3_address="0x9fE6e61422AdB6F610d8597F9684b16912D50C3D",
    ctf_address="0x69308FB512518e39F9b16112fA8d994F4e2Bf8bB",
)

_NETWORKS = {"polygon": PRODUCTION, "amoy": AMOY}


def endpoints(network: str = "polygon", overrides: Mapping[str, str | int | None] | None = None) -> Endpoints:
    """The endpoints of a network with some of them replaced (by field name; None leaves the network's own)."""
    if network not in _NETWORKS:
        raise UnknownNetwork(f"{network!r}: expected one of {', '.join(_NETWORKS)}")
    chosen = {name: value for name, value in (overrides or {}).items() if value not in (None, "")}
    unknown = set(chosen) - {field.name for field in fields(Endpoints)}
    if unknown:
        raise UnknownNetwork(f"no such endpoint: {', '.join(sorted(unknown))}")
    return replace(_NETWORKS[network], **chosen)  # pyright: ignore[reportArgumentType]
