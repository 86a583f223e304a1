"""`polycopy up` as its users meet it: gRPC by reflection, REST with curl, a WebSocket, the operator's verbs."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from services.engine.guards import GUARDS
from tests.patience import PATIENT_S
from tests.polycopy_process import BIN, Polycopy, plain, polycopy, said

pytestmark = pytest.mark.xdist_group("up")

# A user may ask a hundred times in a quarter of an hour, and thirty times a minute for analytics.
BUDGETED_S = 3.0
ROOT = Path(__file__).parents[2]
METHODS = {
    "monitor": ("polycopy.monitor.v1.MonitorService", "ListLeaders", "{}", "leaders"),
    "engine": ("polycopy.engine.v1.EngineService", "GetTradingStatus", "{}", "isRunning"),
    "reconciler": ("polycopy.reconciler.v1.ReconcilerService", "ListReconciliations", "{}", "results"),
    "gateway": ("polycopy.gateway.v1.AuthService", "CreateNonce", '{"address": "0x%s"}' % ("5" * 40), "nonce"),
}


@dataclass(frozen=True)
class Up:
    """What the command has told its user: where everything is, and the wallet's key."""

    running: Polycopy
    url: str
    targets: dict[str, str]
    key_file: Path
    folder: Path


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    place = tmp_path_factory.mktemp("up")
    with polycopy("up", "--free-ports", "--folder", place / "mesh", told=place / "told") as running:
        running.until_said("Ctrl-C stops everything")
        yield Up(
            running,
            running.until_said(r"REST and WebSocket +(http://\S+)")[1],
            dict(re.findall(r"(monitor|engine|reconciler|gateway) (127\.0\.0\.1:\d+)", running.text)),
            Path(running.until_said(r"its key: (\S+)")[1]),
            place / "mesh",
        )


@pytest.fixture(scope="module")
def token(up: Up) -> str:
    """Log in as the pages say: ask for a message, sign it with the command, send the signature back."""
    address = up.running.until_said(r"paper wallet +(0x[0-9a-fA-F]{40})")[1]
    asked = _curl(up, "POST", "/api/auth/nonce", {"address": address})
    code, signature, errors = said("sign", up.key_file, given=asked["message"])
    assert (code, errors) == (0, "")
    login = _curl(up, "POST", "/api/auth/login", {"address": address, "signature": signature.strip()})
    assert login["user"]["role"] == "admin"
    return str(login["token"])


@pytest.mark.parametrize("name", METHODS)
def test_a_service_lists_itself_health_and_channelz_by_reflection(up: Up, name: str):
    listed = _buf("--list-services", f"http://{up.targets[name]}").split()

    assert METHODS[name][0] in listed
    assert {"grpc.health.v1.Health", "grpc.channelz.v1.Channelz"} <= set(listed)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_called_by_reflection(up: Up, name: str):
    service, method, request, field = METHODS[name]

    answer = json.loads(_buf("--data", request, f"http://{up.targets[name]}/{service}/{method}"))

    assert answer[field]


@pytest.mark.parametrize("name", METHODS)
def test_health_says_serving(up: Up, name: str):
    answer = _buf("--data", "{}", f"http://{up.targets[name]}/grpc.health.v1.Health/Check")

    assert json.loads(answer) == {"status": "SERVING"}


@pytest.mark.parametrize("name", METHODS)
def test_channelz_tells_of_the_server(up: Up, name: str):
    answer = _buf("--data", "{}", f"http://{up.targets[name]}/grpc.channelz.v1.Channelz/GetServers")

    assert json.loads(answer)["server"]


def test_positions_and_trades_are_read_with_curl(up: Up, token: str):
    positions = up.running.until(lambda: _curl(up, "GET", "/api/positions", token=token), every_s=BUDGETED_S)
    page = _curl(up, "GET", "/api/analytics/trades?limit=5", token=token)

    assert {"asset", "size", "avgPrice"} <= positions[0].keys()
    assert positions[0]["size"] > 0
    assert 0 < len(page["trades"]) <= 5
    assert page["limit"] == 5


def test_the_status_is_read_with_curl(up: Up, token: str):
    assert _curl(up, "GET", "/api/trading/status", token=token)["isRunning"] is True


def test_a_copy_explains_itself_over_rest_and_on_the_command_line(up: Up, token: str):
    copy_id = _a_decided_copy(up, token)

    explained = _curl(up, "GET", f"/api/trades/{copy_id}/explain", token=token)
    code, told, errors = said("explain", copy_id, env={"ENGINE_TARGET": up.targets["engine"]})

    assert {verdict["guard"] for verdict in explained["verdicts"]} == {guard.__name__ for guard in GUARDS}
    assert (code, errors) == (0, "")
    assert copy_id in told
    assert all(guard.__name__ in told for guard in GUARDS)


def test_reconciliation_is_run_and_its_results_are_read(up: Up, token: str):
    run = _curl(up, "POST", "/api/reconciliation/run", {}, token=token)
    kept = _curl(up, "GET", "/api/reconciliation/results", token=token)["results"]

    assert [result["complete"] for result in run] == [True]
    assert [result["discrepancies"] for result in run] == [[]]
    assert run[0]["resultId"] in [result["resultId"] for result in kept]


async def test_a_websocket_client_receives_each_event_with_a_token(up: Up, token: str):
    wanted = {"trade_executed", "position_updated", "system_status"}
    frames: dict[str, Any] = {}
    headers = {"Authorization": f"Bearer {token}"}

    async with asyncio.timeout(PATIENT_S), connect(f"ws{up.url[4:]}/ws", additional_headers=headers) as socket:
        async for text in socket:
            frame = json.loads(text)
            frames[frame["event"]] = frame
            if wanted <= frames.keys():
                break

    assert all(frames[event]["token"] for event in wanted)
    assert frames["trade_executed"]["data"].keys() >= {"tradeId", "status", "details"}
    assert frames["position_updated"]["data"].keys() >= {"assetId", "position"}
    assert frames["system_status"]["data"]["uptimeMs"] > 0


def test_the_operators_status_names_the_account(up: Up):
    code, told, errors = said("status", "--target", up.targets["engine"])

    assert (code, errors) == (0, "")
    assert re.match(r"trading, up \d+ s, \d+ trades under way, version ", told)
    assert up.running.until_said(r"paper wallet +(0x[0-9a-fA-F]{40})")[1].lower() in told.lower()


def test_an_id_that_nobody_knows_is_one_line_and_exit_2(up: Up):
    code, told, errors = said("explain", "no-such-copy", "--target", up.targets["engine"])

    assert (code, told) == (2, "")
    assert len(errors.splitlines()) == 1
    assert errors == "no-such-copy: no such copy\n"


def test_a_folder_holds_one_mesh(up: Up):
    code, told, errors = said("up", "--free-ports", "--folder", up.folder)

    assert (code, told) == (2, "")
    assert errors == f"another mesh runs in {up.folder}; --folder takes another one\n"


def test_the_example_logs_in_with_the_key_file_that_was_printed(up: Up):
    command = [BIN / "python", ROOT / "examples/log_in.py", up.url, up.key_file]
    logged_in = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert _curl(up, "GET", "/api/positions", token=logged_in.stdout.strip()) is not None


def _a_decided_copy(up: Up, token: str) -> str:
    def decided() -> str | None:
        trades = _curl(up, "GET", "/api/analytics/trades", token=token)["trades"]
        return next((trade["copyId"] for trade in trades if trade["trade"]["side"] == "BUY" and trade["filled"]), None)

    return up.running.until(decided, every_s=BUDGETED_S)


def _curl(up: Up, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
    """The data of an answer, as curl gets it."""
    command = ["curl", "--silent", "--show-error", "--http1.1", "--max-time", "60", "--request", method, up.url + path]
    command += ["--header", f"Authorization: Bearer {token}"] if token else []
    command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)] if body is not None else []

    def answered() -> Any:
        ended = subprocess.run(command, capture_output=True, check=True, timeout=2 * PATIENT_S, env=plain())
        told = json.loads(ended.stdout)
        # A limiter that is slow for a moment is away for whoever changes something: he asks again.
        return None if told.get("reason") == "LIMITER_UNAVAILABLE" else told

    answer = up.running.until(answered, every_s=1)
    assert answer["success"], answer
    return answer["data"]


def _buf(*arguments: str) -> str:
    command = [BIN / "buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=plain(), cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
