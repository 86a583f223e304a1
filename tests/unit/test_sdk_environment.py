"""The official SDK's environment: nothing that PolyCopy does not point somewhere can be reached through it."""

from dataclasses import asdict, replace
from urllib.parse import urlsplit

import pytest
from polymarket._internal.environment import get_environment_config

from services.common.polymarket.environment import PRODUCTION, Endpoints
from services.common.polymarket.sdk import sdk_environment

LOCAL = replace(
    PRODUCTION,
    clob_url="http://127.0.0.1:8900/clob",
    clob_ws_url="ws://127.0.0.1:8900/ws",
    data_api_url="http://127.0.0.1:8900/data",
    gamma_url="http://127.0.0.1:8900/gamma",
    rtds_url="ws://127.0.0.1:8900/rtds",
    relayer_url="http://127.0.0.1:8900/relayer",
    rpc_url="http://127.0.0.1:8901",
)


def hosts(target: Endpoints) -> dict[str, str | None]:
    config = asdict(get_environment_config(sdk_environment(target)))
    return {name: urlsplit(value).hostname for name, value in config.items() if name.endswith("_url")}


def test_an_sdk_for_a_local_venue_knows_no_host_but_this_one():
    found = hosts(LOCAL)

    assert len(found) >= 16
    assert set(found.values()) == {"127.0.0.1"}


@pytest.mark.parametrize(
    "name", ["clob_url", "gamma_url", "data_url", "relayer_url", "rtds_ws_url", "clob_user_ws_url"]
)
def test_an_sdk_for_production_goes_to_production(name):
    assert hosts(PRODUCTION)[name].endswith(".polymarket.com")
