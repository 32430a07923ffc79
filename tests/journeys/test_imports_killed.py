"""A worker that is killed while it imports: another begins anew, and nobody is there twice."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from deployment import APPS
from imports_stage import import_desk, row, table
from jobs_stage import settled

from bedside_core.testing import Database
from rulebook import size

START_SECONDS = 90.0


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@asynccontextmanager
async def worker(database: Database, folder: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run `bedside worker` as a process of its own, which takes over from a killed one within seconds."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")},
        "BEDSIDE_DATABASE_URL": database.dsn,
        "BEDSIDE_TESTING": "true",
        "BEDSIDE_DATA": str(folder),
        "BEDSIDE_AUDIT_ANCHOR": str(folder / "anchor"),
        "BEDSIDE_JOB_HEARTBEAT_SECONDS": "1.5",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bedside_core.cli", "worker",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            assert await process.stdout.readline() == b"Bedside runs background jobs.\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.rule("P5")
@pytest.mark.timeout(400)
async def test_a_worker_killed_while_it_imports_leaves_all_or_nothing_and_another_does_it_once(
    fresh_database: Database, tmp_path: Path
) -> None:
    count, kills = size(3000, 10_000), size(2, 6)
    chance = random.Random(5)
    async with import_desk(fresh_database, tmp_path, worker=False) as desk:
        import_id = await desk.begun(table([row(n) for n in range(count)]))
        seen: list[str] = []

        async def follow() -> None:
            seen.extend(step["state"] for step in await desk.followed(import_id))

        following = asyncio.create_task(follow())
        killed = 0
        for _ in range(kills):
            async with worker(fresh_database, tmp_path) as process:
                ended = asyncio.create_task(process.wait())
                while not await desk.rows("SELECT FROM patient_import WHERE state <> 'waiting'"):
                    await asyncio.wait({following}, timeout=0.02)
                await asyncio.wait({following}, timeout=chance.uniform(0, 1.5))  # a moment of its work
                if not following.done():
                    process.kill()
                    killed += 1
                await asyncio.wait({ended} if killed else {following}, timeout=START_SECONDS)
                ended.cancel()
            assert await desk.count("patient") in {0, count}
        async with worker(fresh_database, tmp_path):
            await asyncio.wait_for(following, 3 * START_SECONDS)
            await settled(fresh_database)
        assert killed
        assert (await desk.count("patient"), seen[-1]) == (count, "DONE")
        named = await desk.rows("SELECT cardinality(patients) AS n FROM audit_entry WHERE action = 'patients.import'")
        assert [entry["n"] for entry in named] == [count]
