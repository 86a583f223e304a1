"""`python -m bench`: measures, prints, and keeps the figures in run/bench.json."""

import asyncio
import json
from pathlib import Path

from bench import chain, hour, leaders, mesh, replay, venue

SINGLES = 25
BURSTS = (5, 20)


def main() -> None:
    """Everything, on this machine, now."""
    folder = Path("run/bench").absolute()
    figures = {
        "mesh": asyncio.run(mesh.measure(folder, SINGLES, BURSTS)),
        "replay": replay.measure(folder),
        "venue": asyncio.run(venue.measure(folder / "venue")),
        "leaders": asyncio.run(leaders.figures(folder / "leaders")),
        "hour": asyncio.run(hour.measure(folder / "hour")),
        "chain": asyncio.run(chain.measure(folder / "chain")),
    }
    text = json.dumps(figures, indent=2)
    Path("run/bench.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
