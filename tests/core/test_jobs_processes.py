"""Workers that are processes of their own, and die."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from jobs_stage import PROCESS_JOBS, SHORT_HEARTBEAT, Stage, practices, put, until, worker_process

from bedside_core.jobs import Held
from bedside_core.testing import Database

pytestmark = pytest.mark.timeout(240)


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.promise("P1")
async def test_a_job_that_ends_its_worker_is_held_after_its_attempts(database: Database, tmp_path: Path) -> None:
    [practice] = await practices(1)
    jobs = Stage().jobs(*PROCESS_JOBS)
    poison, quick = tmp_path / "poison", tmp_path / "quick"

    async def is_held() -> bool:
        return bool(await jobs.held())

    async with AsyncExitStack() as stack:
        workers = await asyncio.gather(*(stack.enter_async_context(worker_process(database.dsn)) for _ in range(3)))
        await put(jobs, "ward.poison", practice, {"file": str(poison)})
        await until(is_held, "the poison is held")
        await put(jobs, "ward.quick", practice, {"file": str(quick)})
        await until(lambda: lines(quick) == ["quick 1"], "another job runs")
        # Two have ended: by the first run, and by the one retry it has.
        assert sorted(str(worker.returncode) for worker in workers) == ["9", "9", "None"]
    [held] = await jobs.held()
    assert held == Held(
        id=held.id, name="ward.poison", practice_id=practice, attempts=2, reason="its worker ended while it ran"
    )
    assert lines(poison) == ["poison 1", "poison 2"]


async def test_a_job_whose_worker_was_killed_is_taken_over(database: Database, tmp_path: Path) -> None:
    [practice] = await practices(1)
    jobs = Stage().jobs(*PROCESS_JOBS, pace=SHORT_HEARTBEAT)
    file = tmp_path / "long"
    async with worker_process(database.dsn) as worker:
        await put(jobs, "ward.long", practice, {"file": str(file)})
        await until(lambda: lines(file) == ["begun 1"], "the job has begun")
        async with jobs.running(database.dsn):
            worker.kill()
            assert await worker.wait() == -signal.SIGKILL
            await until(lambda: lines(file)[-1] == "done 2", "the other worker has done it")
    assert lines(file) == ["begun 1", "begun 2", "done 2"]
    assert await jobs.held() == []


async def test_a_worker_that_is_told_to_stop_gives_its_job_to_another(database: Database, tmp_path: Path) -> None:
    """SIGTERM: what does not end in time is put back at once, without waiting for a heartbeat to be missed."""
    [practice] = await practices(1)
    jobs = Stage().jobs(*PROCESS_JOBS, pace=SHORT_HEARTBEAT)
    file = tmp_path / "long"
    async with worker_process(database.dsn) as worker:
        await put(jobs, "ward.long", practice, {"file": str(file)})
        await until(lambda: lines(file) == ["begun 1"], "the job has begun")
        worker.terminate()
        async with asyncio.timeout(SHORT_HEARTBEAT.drain + 20):
            assert await worker.wait() == 0
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        row = await owner.fetchrow("SELECT status::text, number, running FROM pgqueuer JOIN job_attempt ON job_id = id")
    finally:
        await owner.close()
    assert row is not None
    assert tuple(row) == ("queued", 0, False)
