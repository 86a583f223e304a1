"""`python -m bench [NAME…]`: measures all or what is named, prints, and keeps the figures in run/bench.json."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import chain, hour, leaders, mesh, replay, stored, venue

SINGLES = 25
BURSTS = (5, 20)

MEASURES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "mesh": lambda folder: asyncio.run(mesh.measure(folder, SINGLES, BURSTS)),
    "stream": lambda folder: asyncio.run(mesh.stream(folder)),
    "stored": lambda folder: asyncio.run(stored.measure(folder)),
    "replay": replay.measure,
    "venue": lambda folder: asyncio.run(venue.measure(folder)),
    "leaders": lambda folder: asyncio.run(leaders.figures(folder)),
    "hour": lambda folder: asyncio.run(hour.measure(folder)),
    "chain": lambda folder: asyncio.run(chain.measure(folder)),
}


def main(names: list[str]) -> None:
    """Everything, on this machine, now."""
    if unknown := [name for name in names if name not in MEASURES]:
        sys.exit(f"{', '.join(unknown)}: expected any of {', '.join(MEASURES)}")
    folder = Path("run/bench").absolute()
    figures = {name: MEASURES[name](folder / name) for name in names or MEASURES}
    text = json.dumps(figures, indent=2)
    Path("run/bench.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
