"""A worker that stops, is cancelled, goes deaf or loses its connections loses no job."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from jobs_stage import QUICK, Notes, Stage, job, practices, put, settled, until, waiting
from pgqueuer import Queries, QueueManager
from pgqueuer.errors import FailingListenerError
from structlog.testing import capture_logs

from bedside_core.jobs import JobRun, WorkerState
from bedside_core.jobs.library import manager_on
from bedside_core.testing import Database


async def test_a_worker_that_stops_lets_jobs_finish(database: Database) -> None:
    [practice] = await practices(1)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(run: JobRun) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        ended.set()

    jobs = Stage().jobs(job("work", work))
    async with jobs.running(database.dsn):
        await put(jobs, "ward.work", practice)
        await begun.wait()
    assert ended.is_set()
    assert await waiting(database) == 0


async def test_a_job_that_outlasts_its_worker_runs_again_and_is_not_charged_with_it(database: Database) -> None:
    [practice] = await practices(1)
    begun, runs, leave = asyncio.Event(), list[int](), asyncio.Event()

    async def work(run: JobRun) -> None:
        runs.append(run.attempt)
        begun.set()
        await leave.wait()

    stage = Stage()
    jobs = stage.jobs(job("work", work, retries=0), pace=replace(QUICK, drain=0.1))
    async with jobs.running(database.dsn):
        await put(jobs, "ward.work", practice)
        await begun.wait()
    assert await waiting(database) == 1
    leave.set()
    async with jobs.running(database.dsn):
        await settled(database)
    assert runs == [1, 1]
    assert await jobs.held() == []


async def test_a_worker_that_is_cancelled_loses_no_job(database: Database) -> None:
    [practice] = await practices(1)
    begun, leave, notes = asyncio.Event(), asyncio.Event(), Notes()

    async def work(run: JobRun) -> None:
        await notes(run)
        begun.set()
        await leave.wait()

    jobs = Stage().jobs(job("work", work), pace=replace(QUICK, drain=0.1))

    async def serve() -> None:
        async with jobs.running(database.dsn):
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await put(jobs, "ward.work", practice)
    await begun.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert await waiting(database) == 1
    leave.set()
    async with jobs.running(database.dsn):
        await settled(database)
    assert [run.attempt for run in notes.runs] == [1, 1]


async def test_a_worker_whose_connections_were_cut_goes_on(database: Database) -> None:
    [practice] = await practices(1)
    notes = Notes()
    jobs = Stage().jobs(notes.job())
    async with jobs.running(database.dsn):
        await put(jobs, "ward.note", practice)
        await settled(database)
        owner = await asyncpg.connect(database.owner_dsn)
        try:
            assert await owner.fetchval(
                """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'bedside worker'"""
            )
        finally:
            await owner.close()
        await put(jobs, "ward.note", practice)
        await settled(database)
        assert jobs.state is WorkerState.RUNNING
    assert len(notes.runs) == 2


async def test_a_worker_that_hears_no_notifications_starts_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pgqueuer asks itself every ten seconds whether it would hear; here it finds at once that it does not."""
    [practice], notes = await practices(1), Notes()
    deaf = [FailingListenerError()]

    async def listener_healthy(self: QueueManager, **options: Any) -> None:
        if deaf:
            raise deaf.pop()

    monkeypatch.setattr(QueueManager, "listener_healthy", listener_healthy)
    jobs = Stage().jobs(notes.job())
    with capture_logs() as logs:
        async with jobs.running(database.dsn):
            await until(lambda: bool(logs), "the worker starts again")
            await put(jobs, "ward.note", practice)
            await settled(database)
            assert jobs.state is WorkerState.RUNNING
    assert [(line["event"], line["failure"]) for line in logs] == [
        ("the job worker starts again", "FailingListenerError")
    ]
    assert len(notes.runs) == 1


async def test_a_worker_does_not_ask_whether_it_hears_before_it_listens(database: Database) -> None:
    """PostgreSQL keeps notifications for nobody: the worker would wait for an answer to a question that is lost."""
    heard: list[str | bytes | bytearray] = []
    async with (
        asyncpg.create_pool(database.dsn, min_size=2, max_size=2) as pool,
        manager_on(pool).queries.driver as driver,
    ):
        async with pool.acquire():  # one connection is left, for which statements wait their turn
            asking = asyncio.create_task(driver.notify("ward", "do you hear?"))
            await asyncio.sleep(0)
            await pool.execute("SELECT 1")
        await driver.add_listener("ward", heard.append)
        await asking
        await until(lambda: heard == ["do you hear?"], "the question is heard", 5)


async def test_a_job_whose_retry_could_not_be_written_is_not_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between a failure and its retry: the job is taken over as from a dead worker."""
    [practice] = await practices(1)
    notes = Notes(ValueError())
    jobs = Stage().jobs(notes.job(), pace=replace(QUICK, heartbeat=1.0))
    lost = [OSError("connection lost")]
    write = Queries.retry_job

    async def retry_job(self: Queries, *args: Any) -> None:
        if lost:
            raise lost.pop()
        await write(self, *args)

    monkeypatch.setattr(Queries, "retry_job", retry_job)
    async with jobs.running(database.dsn):
        await put(jobs, "ward.note", practice)
        await settled(database)
    assert lost == []
    assert [run.attempt for run in notes.runs] == [1, 2]
    assert await jobs.held() == []
