"""`.env.example` names every setting of every service, says what it is for, and gives its default."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from services.common.settings import Settings
from services.engine.settings import EngineSettings
from services.gateway.settings import GatewaySettings
from services.monitor.settings import MonitorSettings
from services.reconciler.settings import ReconcilerSettings
from services.signer.settings import SignerSettings
from tests.patience import PATIENT_S

EXAMPLE = Path(__file__).parents[2] / ".env.example"
CLASSES: tuple[type[Settings], ...] = (
    MonitorSettings,
    EngineSettings,
    ReconcilerSettings,
    GatewaySettings,
    SignerSettings,
)
FIELDS = {name.upper(): field for settings in CLASSES for name, field in settings.model_fields.items()}
FILLED_IN = {
    "MESH_SECRET": "a secret of the mesh",
    "MONGODB_URI": "mongodb://127.0.0.1:27117/?replicaSet=rs0",
    "SEAL_KEY_FILE": "seal.key",
}

ENTRY = re.compile(r"^# (?P<says>.+)\n(?P<name>[A-Z_]+)=(?P<value>.*)$", re.MULTILINE)


def entries() -> list[tuple[str, str, str]]:
    return [(found["name"], found["value"], found["says"]) for found in ENTRY.finditer(EXAMPLE.read_text())]


def assignments() -> list[str]:
    return re.findall(r"^([^#\s=]+)=", EXAMPLE.read_text(), re.MULTILINE)


def test_every_setting_is_in_the_example_once_and_nothing_else_is() -> None:
    assert sorted(assignments()) == sorted(FIELDS)


def test_every_setting_has_a_description_of_its_own_above_it() -> None:
    known = {
        (name.upper(), f"{field.description}; required" if field.is_required() else field.description)
        for settings in CLASSES
        for name, field in settings.model_fields.items()
    }

    assert [(name, says) for name, _, says in entries() if (name, says) not in known] == []
    assert len(entries()) == len(FIELDS)


@pytest.mark.parametrize("settings", CLASSES)
def test_a_copy_with_the_required_settings_filled_in_is_the_default(
    settings: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FIELDS:
        monkeypatch.delenv(name, raising=False)
    for name, value in FILLED_IN.items():
        monkeypatch.setenv(name, value)
    default = settings()
    for name, value, _ in entries():
        monkeypatch.setenv(name, FILLED_IN.get(name, value))

    assert settings() == default


def test_the_example_holds_no_secret() -> None:
    values = {name: value for name, value, _ in entries()}

    assert not any(values[name] for name in ("MESH_SECRET", "JWT_SECRET", "PRIVATE_KEY_FILE"))
    assert set(FILLED_IN) == {name for name, field in FIELDS.items() if field.is_required()}


def test_a_shell_reads_it_as_containers_do() -> None:
    script = f"set -aeu; . {EXAMPLE}; env -0"
    shell = ["bash", "-c", script]
    ended = subprocess.run(
        shell, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True, timeout=PATIENT_S
    )
    read = dict(line.split("=", 1) for line in ended.stdout.split("\0") if line)

    assert {name: read[name] for name, _, _ in entries()} == {name: value for name, value, _ in entries()}
