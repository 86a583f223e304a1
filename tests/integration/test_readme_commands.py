"""Logging in as the README shows it works as it stands: only the address, the wallet and the key file are put in."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from tests.gateway_world import gateway_world

ROOT = Path(__file__).parents[2]


def log_in_block() -> str:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "polycopy sign" in block)


async def test_logging_in_with_curl_works_as_written(kept_uri: str, redis_url: str, tmp_path: Path) -> None:
    async with gateway_world(kept_uri, redis_url) as world:
        key = tmp_path / "wallet.key"
        key.touch(mode=0o600)
        key.write_text(bytes(world.admin.key).hex())
        script = (
            log_in_block()
            .replace("http://127.0.0.1:3001", f"http://127.0.0.1:{world.port}")
            .replace("WALLET=0x…", f"WALLET={world.admin.address}")
            .replace("run/up/wallet-1.key", str(key))
            .replace(".venv/bin", str(Path(sys.executable).parent))
        )
        shell = ["bash", "-e", "-c", script]
        ended = await asyncio.to_thread(
            subprocess.run, shell, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
        )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('"success":true') == 2
    assert '"size":7.5' in ended.stdout
