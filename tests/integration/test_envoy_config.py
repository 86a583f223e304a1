"""envoy.yaml is valid, and its early gate says what the contract's access options say."""

import asyncio
import re
from typing import Any

import pytest
from polycopy.options.v1 import access_pb2

from services.gateway.contract import SERVICES
from services.gateway.routes import access, routes
from tests.edge_world import ENVOY, ROOT, config

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="envoy is not installed")


def filters() -> dict[str, Any]:
    manager = config()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return {one["name"]: one["typed_config"] for one in manager["http_filters"]}


def paths(of_role: int) -> set[str]:
    """Every path, REST and gRPC, of the methods with a role."""
    rest = {route.path for route in routes(SERVICES) if route.access.role == of_role}
    methods = [method for service in SERVICES for method in service.methods if access(method).role == of_role]
    return rest | {f"/{method.containing_service.full_name}/{method.name}" for method in methods}


def patterns(part: Any) -> list[str]:
    if isinstance(part, list):
        return [found for one in part for found in patterns(one)]
    if not isinstance(part, dict):
        return []
    here = [part["safe_regex"]["regex"]] if "safe_regex" in part else []
    return here + [found for one in part.values() for found in patterns(one)]


def matched(part: Any) -> set[str]:
    """Which of all paths the regular expressions below a part match."""
    every = set().union(*(paths(role) for role in access_pb2.Role.values()))
    return {path for path in every if any(re.fullmatch(pattern, path) for pattern in patterns(part))}


async def test_the_file_validates_as_it_stands() -> None:
    made = await asyncio.create_subprocess_exec(
        ENVOY, "--mode", "validate", "-c", "envoy.yaml", cwd=ROOT, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await made.communicate()

    assert made.returncode == 0, out.decode()[-2000:]
    assert b"configuration 'envoy.yaml' OK" in out


def test_what_users_are_kept_from_is_what_the_contract_gives_to_admins() -> None:
    policies = filters()["envoy.filters.http.rbac"]["rules"]["policies"]

    assert matched(policies["user"]["permissions"]) == paths(access_pb2.ROLE_ADMIN)


def test_what_is_open_is_what_the_contract_opens() -> None:
    policies = filters()["envoy.filters.http.rbac"]["rules"]["policies"]
    rules = filters()["envoy.filters.http.jwt_authn"]["rules"]
    without_token = {rule["match"]["path"] for rule in rules if "requires" not in rule}

    assert matched(policies["open"]["permissions"]) == paths(access_pb2.ROLE_ANONYMOUS)
    assert without_token - {"/api/docs"} == paths(access_pb2.ROLE_ANONYMOUS) | {"/v1/auth:nonce", "/v1/auth:login"}


def test_what_is_for_the_mesh_alone_is_routed_nowhere() -> None:
    manager = config()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    found = manager["route_config"]["virtual_hosts"][0]["routes"]
    refused = {route["match"].get("path") for route in found if "direct_response" in route}

    assert paths(access_pb2.ROLE_SERVICE) <= refused


def test_every_service_is_transcoded_and_its_health_is_asked_by_its_name() -> None:
    asked = {
        check["grpc_health_check"]["service_name"]
        for cluster in config()["static_resources"]["clusters"]
        for check in cluster.get("health_checks", [])
        if "grpc_health_check" in check
    }
    names = {service.full_name for service in SERVICES}

    assert set(filters()["envoy.filters.http.grpc_json_transcoder"]["services"]) == names
    assert asked == names
