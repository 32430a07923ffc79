"""`startup`: how long from the start of the process to the first right answer, and what of it is importing."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from .deployment import Deployment, deployed
from .machine import described
from .query import OWN, QUERY
from .results import table
from .servers import bedside, install_peers, peer

PLUGINS = "{ plugins { name status } }"

# What `bedside serve` imports: its command, and every plugin's module.
IMPORTS = """
import bedside_core.cli.serve
from importlib.metadata import entry_points
from bedside_core.config import FIRST_PARTY
for point in entry_points(group="bedside"):
    if point.name in FIRST_PARTY:
        point.load()
"""


async def run(runs: int) -> str:
    """Measure, and return the section for RESULTS.md."""
    install_peers()
    about = described()
    with tempfile.TemporaryDirectory(prefix="bedside-benchmark-") as name:
        folder = Path(name)
        found = {"imports alone": [_importing() for _ in range(runs)]}
        found["Bedside, new data folder: makes its PostgreSQL, migrates"] = []
        found["Bedside, the same folder again: starts its PostgreSQL"] = []
        for number in range(runs):
            cold, warm = await _private(folder / f"run{number}")
            found["Bedside, new data folder: makes its PostgreSQL, migrates"].append(cold)
            found["Bedside, the same folder again: starts its PostgreSQL"].append(warm)
        async with deployed(folder) as deployment:
            found |= await _external(deployment, runs)
    rows = [[what, median(seconds), min(seconds), max(seconds)] for what, seconds in found.items()]
    ours, theirs = found["Bedside, PostgreSQL runs already"], found["Mercurius, PostgreSQL runs already"]
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return "\n\n".join(
        (
            "\n".join(f"- {line}" for line in [*about, f"{runs} runs of each, in turn"]),
            table(("seconds from the start of the process to the first answer", "median", "least", "most"), rows),
            f"Bedside takes {ratio:.1f} times as long as Mercurius to its first page of conversations.",
        )
    )


def _importing() -> float:
    began = time.perf_counter()
    subprocess.run((sys.executable, "-c", IMPORTS), check=True)
    return time.perf_counter() - began


async def _private(folder: Path) -> tuple[float, float]:
    """Return how long a first start with a PostgreSQL of its own takes, and a second."""
    seconds: list[float] = []
    for _ in range(2):
        async with bedside(folder.parent / "servers.log", ready=PLUGINS, data=str(folder)) as server:
            seconds.append(server.ready_seconds)
    await asyncio.to_thread(shutil.rmtree, folder)
    return seconds[0], seconds[1]


async def _external(deployment: Deployment, runs: int) -> dict[str, list[float]]:
    """Return how long the servers take whose database runs, to their first page of conversations."""
    token = await deployment.token(await deployment.viewer(OWN))
    log = deployment.folder / "servers.log"
    found: dict[str, list[float]] = {
        f"{name}, PostgreSQL runs already": [] for name in ("Bedside", "Mercurius", "Yoga")
    }
    for _ in range(runs):
        for manager in (
            bedside(log, ready=QUERY, token=token, database_url=deployment.dsn),
            peer("mercurius", deployment.owner_dsn, log, ready=QUERY, token=token),
            peer("yoga", deployment.owner_dsn, log, ready=QUERY, token=token),
        ):
            async with manager as server:
                found[f"{server.name}, PostgreSQL runs already"].append(server.ready_seconds)
    return found
