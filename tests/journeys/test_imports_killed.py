"""A worker that is killed while it imports: another begins anew, and nobody is there twice."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from deployment import APPS
from imports_stage import held_at, import_desk, row, table, waits
from jobs_stage import settled, until

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
async def test_a_worker_killed_while_it_imports_leaves_nothing_and_another_does_all_of_it_once(
    fresh_database: Database, tmp_path: Path
) -> None:
    count = size(2500, 10_000)
    async with import_desk(fresh_database, tmp_path, worker=False) as desk:
        import_id = await desk.begun(table([row(n) for n in range(count)]))
        following = asyncio.create_task(desk.followed(import_id))
        for number in (0, count // 2, count - 1)[-size(1, 3) :]:
            async with held_at(desk, number):
                async with worker(fresh_database, tmp_path) as process:
                    await until(lambda: waits(desk), "the import waits", START_SECONDS)
                    process.kill()
                    await process.wait()
                assert await desk.count("patient") == 0
        async with worker(fresh_database, tmp_path):
            steps = await asyncio.wait_for(following, 2 * START_SECONDS)
            await settled(fresh_database)
        assert (steps[-1]["state"], steps[-1]["imported"]) == ("DONE", count)
        assert await desk.count("patient") == count
        named = await desk.rows("SELECT cardinality(patients) AS n FROM audit_entry WHERE action = 'patients.import'")
        assert [entry["n"] for entry in named] == [count]
