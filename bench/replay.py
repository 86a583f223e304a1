"""How many recorded trades a second go through the same guards, engine, exits and books."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HISTORY = Path("../shared/data/histories/leader_0xe00740bc_trades_v1.json.gz")
POLICY = Path("examples/replay_policy.toml")


def measure(folder: Path) -> dict[str, Any]:
    """One replay as a user runs it, start-up included; empty where the recording is absent."""
    if not HISTORY.exists():
        return {}
    out = folder / "replay.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "services.cli", "replay", HISTORY, "--policy", POLICY, "--json", out]
    began = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    trades = json.loads(out.read_text())["detected"]
    return {"trades": trades, "seconds": round(seconds, 2), "trades_per_second": round(trades / seconds)}


if __name__ == "__main__":
    print(json.dumps(measure(Path("run/bench"))))
