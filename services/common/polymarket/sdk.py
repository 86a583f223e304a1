"""The official SDK, pointed at the endpoints that PolyCopy uses. Kept apart: it is heavy, and only account set-up and oracles need it."""

from dataclasses import replace

from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.environments import Environment

from services.common.polymarket.environment import Endpoints

# For what PolyCopy has no use: the discard port of this machine, so that no call of the SDK goes anywhere by default.
NOWHERE, SOCKET_NOWHERE = "http://127.0.0.1:9", "ws://127.0.0.1:9"


def sdk_environment(target: Endpoints) -> Environment:
    """The official SDK's environment for these endpoints. The SDK has no public way to say it, so its internals are touched here alone."""
    config = replace(
        PRODUCTION_CONFIG,
        chain_id=target.chain_id,
        clob_url=target.clob_url,
        clob_market_ws_url=target.market_ws_url,
        clob_user_ws_url=target.user_ws_url,
        data_url=target.data_api_url,
        gamma_url=target.gamma_url,
        rtds_ws_url=target.rtds_url,
        relayer_url=target.relayer_url,
        rfq_url=NOWHERE,
        rfq_quoter_ws_url=SOCKET_NOWHERE,
        sports_ws_url=SOCKET_NOWHERE,
        realtime_ws_url=SOCKET_NOWHERE,
        builder_gateway_url=NOWHERE,
        collateral_return_url=NOWHERE,
        perps_url=NOWHERE,
        perps_ws_url=SOCKET_NOWHERE,
        rpc_url=target.rpc_url,
        standard_exchange=target.exchange_address,
        neg_risk_exchange=target.neg_risk_exchange_address,
        exchange_v3=target.exchange_v3_address,
        conditional_tokens=target.ctf_address,
        collateral_token=target.collateral_address,
        position_manager=target.position_manager_address,
    )
    return create_environment(name="polycopy", config=config)
