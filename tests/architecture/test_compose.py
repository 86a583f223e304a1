"""docker-compose.yml fits the compose specification's own schema, and what it names exists here. No Docker engine is needed."""

import copy
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from services.common.settings import Settings
from services.engine.settings import EngineSettings
from services.gateway.settings import GatewaySettings
from services.monitor.settings import MonitorSettings
from services.reconciler.settings import ReconcilerSettings
from services.signer.settings import SignerSettings
from tests.architecture.test_settings_example import FIELDS, entries

ROOT = Path(__file__).parents[2]
OURS: dict[str, type[Settings]] = {
    "monitor": MonitorSettings,
    "engine": EngineSettings,
    "reconciler": ReconcilerSettings,
    "gateway": GatewaySettings,
    "signer": SignerSettings,
}
ALONE = "signer"
"""It reads no file that the others read, and no store."""

LISTENS = {name: f"{name.upper()}_LISTEN" for name in OURS}


def document(name: str = "docker-compose.yml") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


def misfits(compose: dict[str, Any]) -> list[str]:
    """What the schema says against a document."""
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    validator = validator_for(schema)(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose)]


def environment(service: str) -> dict[str, str]:
    given: dict[str, str] = document()["services"][service]["environment"]
    return given


def test_the_file_fits_the_schema() -> None:
    assert misfits(document()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda services: services["engine"].update(comand=["x"]),
        lambda services: services["engine"].update(command=1),
        lambda services: services["engine"].update(networks="mesh"),
        lambda services: services["mongo"]["healthcheck"].update(retries=["often"]),
        lambda services: services["mongo"]["healthcheck"].update(every="5s"),
        lambda services: services["engine"].update(depends_on={"mongo": {"condition": "well"}}),
        lambda services: services["engine"].update(build={"contxt": "."}),
    ],
    ids=["a misspelt key", "command", "networks", "retries", "a key of the health check", "condition", "build"],
)
def test_the_schema_refuses_what_is_no_compose_file(spoil: Callable[[dict[str, Any]], None]) -> None:
    spoiled = copy.deepcopy(document())
    spoil(spoiled["services"])

    assert misfits(spoiled)


def test_durations_are_durations() -> None:
    # The schema leaves their form to the engine.
    services = document()["services"].values()
    checks = [check for service in services if (check := service.get("healthcheck"))]
    named = [check[key] for check in checks for key in ("interval", "timeout")]
    named += [service["stop_grace_period"] for service in services if "stop_grace_period" in service]

    assert named
    assert [one for one in named if not re.fullmatch(r"(\d+(ms|s|m|h))+", one)] == []


def test_what_services_name_is_defined() -> None:
    compose = document()
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("networks", ())) <= set(compose["networks"]), name
        assert set(service.get("secrets", ())) <= set(compose["secrets"]), name
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(compose["volumes"]), name
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, name
            assert how["condition"] != "service_healthy" or "healthcheck" in services[needed], name
            assert set(service["networks"]) & set(services[needed]["networks"]), name


def test_nothing_is_defined_that_nobody_uses() -> None:
    compose = document()
    for kind in ("networks", "secrets"):
        assert set(compose[kind]) == {one for service in compose["services"].values() for one in service.get(kind, ())}


def test_every_service_of_ours_runs_its_own_module() -> None:
    for name in OURS:
        command = document()["services"][name]["command"]
        assert command == ["python", "-m", f"services.{name}"]
        assert (ROOT / "services" / name / "__main__.py").exists()


@pytest.mark.parametrize("name", OURS)
def test_a_copy_of_the_example_and_the_files_own_variables_are_settings_of_that_service(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {field.upper() for field in OURS[name].model_fields}
    assert set(environment(name)) <= fields

    for field in FIELDS:
        monkeypatch.delenv(field, raising=False)
    for variable, value, _ in entries():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("MESH_SECRET", "a secret of the mesh")
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, re.sub(r"^\$\{[A-Z_]+:-(.*)\}$", r"\1", value))

    read = OURS[name]().model_dump()
    assert str(read[LISTENS[name].lower()]).startswith("0.0.0.0:")


def test_every_service_reads_the_env_file_that_the_example_is_for() -> None:
    assert {document()["services"][name]["env_file"] for name in OURS if name != ALONE} == {".env"}
    assert document()["services"][ALONE]["env_file"] == []
    assert (ROOT / ".env.example").exists()


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    assert not re.search(r"\b(0x)?[0-9a-f]{32,}\b", text)
    for name in OURS:
        assert not {"MESH_SECRET", "JWT_SECRET"} & set(environment(name))
        for variable, value in environment(name).items():
            mounted = value.removeprefix("/run/secrets/")
            assert mounted == value or mounted in document()["services"][name]["secrets"], variable


def test_services_reach_each_other_where_they_listen() -> None:
    services = document()["services"]
    for name in OURS:
        for variable, value in environment(name).items():
            if variable.endswith("_TARGET"):
                host, _, port = value.partition(":")
                assert environment(host)[LISTENS[host]] == f"0.0.0.0:{port}"
                assert set(services[host]["networks"]) & set(services[name]["networks"])


def test_the_stores_are_reached_by_the_names_of_their_services() -> None:
    mongo = document()["services"]["mongo"]
    for name in set(OURS) - {ALONE}:
        assert environment(name)["MONGODB_URI"] == "mongodb://mongo:27017/?replicaSet=rs0"
        assert environment(name)["REDIS_URL"].startswith("redis://valkey:6379/")
    assert mongo["command"][mongo["command"].index("--replSet") + 1] == "rs0"
    assert "transactionLifetimeLimitSeconds=3" in mongo["command"]


def test_published_ports_are_on_loopback_and_can_be_published() -> None:
    compose = document()
    for name, service in compose["services"].items():
        if "ports" in service:
            assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
            assert any(not compose["networks"][one].get("internal") for one in service["networks"]), name
    assert document()["services"]["gateway"]["ports"] == ["127.0.0.1:3001:3001"]


def test_services_that_speak_to_the_venue_reach_it_and_the_others_do_not() -> None:
    outside = {name for name in OURS if "egress" in document()["services"][name]["networks"]}

    assert outside == {"monitor", "engine", "reconciler"}


def test_the_signer_is_reached_by_who_needs_it_reaches_nobody_and_alone_has_the_key() -> None:
    compose = document()
    services = compose["services"]

    assert services[ALONE]["networks"] == ["signer"]
    assert compose["networks"]["signer"] == {"internal": True}
    assert {name for name in services if "signer" in services[name]["networks"]} == {ALONE, "engine", "reconciler"}
    assert {name for name in services if "signer_key" in services[name].get("secrets", ())} == {ALONE}
    for name in (ALONE, "engine", "reconciler"):
        own = {"mesh_ca", f"{name}_certificate", f"{name}_certificate_key"}
        assert set(services[name]["secrets"]) - {"signer_key", "seal_key"} == own
    assert {name for name in services if "seal_key" in services[name].get("secrets", ())} == {"engine"}
    assert not any("ca.key" in secret["file"] for secret in compose["secrets"].values())


def test_the_edge_names_the_services_and_ports_of_this_file() -> None:
    named = {
        (place["address"], place["port_value"])
        for cluster in document("envoy.yaml")["static_resources"]["clusters"]
        for group in cluster["load_assignment"]["endpoints"]
        for one in group["lb_endpoints"]
        for place in [one["endpoint"]["address"]["socket_address"]]
        if place["address"] != "127.0.0.1"
    }
    listening = {(name, int(environment(name)[LISTENS[name]].partition(":")[2])) for name in set(OURS) - {ALONE}}

    assert named == listening | {("gateway", 3001)}
