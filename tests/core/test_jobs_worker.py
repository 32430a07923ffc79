"""Whatever one job does, the others run; and no job is lost, run for ever, or run for whom it is not."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from jobs_stage import FEATURE, QUICK, Notes, Stage, job, practices, put, settled, until, waiting
from structlog.testing import capture_logs

from bedside_core.database import DB, current_scope
from bedside_core.errors import Unavailable
from bedside_core.jobs import Held, JobRun, WorkerState
from bedside_core.testing import Database
from bedside_core.watchdog import Watchdog

CANARY = "canary-4711"


class Odd(BaseException):
    """Not an Exception."""


async def test_a_job_acts_for_its_practice(database: Database) -> None:
    seen: list[tuple[UUID | None, UUID | None, Any]] = []

    async def look(run: JobRun) -> None:
        seen.append((run.practice_id, current_scope().practice_id, await DB.fetchval("SELECT app_practice()")))

    jobs = Stage().jobs(job("look", look))
    both = await practices(2)
    async with jobs.running(database.dsn):
        for practice in both:
            await put(jobs, "ward.look", practice)
        await settled(database)
    assert sorted(seen) == [(practice, practice, practice) for practice in sorted(both)]
    assert current_scope().practice_id is None


async def test_what_was_enqueued_before_the_worker_came_is_run_with_its_payload(database: Database) -> None:
    stage, notes, [practice] = Stage(), Notes(), await practices(1)
    jobs = stage.jobs(notes.job())
    await put(jobs, "ward.note", practice, {"appointment": practice, "n": 1})
    async with jobs.running(database.dsn):
        await settled(database)
    assert notes.runs == [
        JobRun(platform=stage.platform, practice_id=practice, payload={"appointment": str(practice), "n": 1}, attempt=1)
    ]
    assert await jobs.held() == []


async def test_a_job_that_fails_is_run_again_until_it_succeeds(database: Database) -> None:
    notes, [practice] = Notes(ValueError(), OSError()), await practices(1)
    jobs = Stage().jobs(notes.job())
    async with jobs.running(database.dsn):
        await put(jobs, "ward.note", practice)
        await settled(database)
    assert [run.attempt for run in notes.runs] == [1, 2, 3]
    assert jobs.faults == {"ward": 2}
    assert await jobs.held() == []


async def test_a_job_whose_retries_are_spent_is_held_with_the_reason_until_it_is_requeued(database: Database) -> None:
    notes, [practice] = Notes(*[ValueError(CANARY) for _ in range(3)]), await practices(1)
    jobs = Stage().jobs(notes.job(retries=2))
    async with jobs.running(database.dsn):
        await put(jobs, "ward.note", practice, {"word": CANARY})
        await settled(database)
        [held] = await jobs.held()
        reason = held.reason
        assert held == Held(id=held.id, name="ward.note", practice_id=practice, attempts=3, reason=reason)
        assert reason.startswith("ValueError at ")
        assert [run.attempt for run in notes.runs] == [1, 2, 3]

        assert await jobs.requeue(held.id)
        await settled(database)
    assert [run.attempt for run in notes.runs] == [1, 2, 3, 1]
    assert await jobs.held() == []
    assert not await jobs.requeue(held.id)


async def test_neither_payload_nor_message_gets_into_a_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    notes, [practice] = Notes(ValueError(CANARY), ValueError(CANARY)), await practices(1)
    jobs = Stage().jobs(notes.job(retries=1))
    with capture_logs() as logs:
        async with jobs.running(database.dsn):
            await put(jobs, "ward.note", practice, {"word": CANARY})
            await settled(database)
    failures = [line for line in logs if line["log_level"] == "error"]
    assert [(line["event"], line["attempt"]) for line in failures] == [("job failed", 1), ("job held", 2)]
    for line in failures:
        assert (line["plugin"], line["job"], line["practice"]) == ("ward", "ward.note", str(practice))
    assert CANARY not in str(logs)
    assert CANARY not in caplog.text
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        for table in ("pgqueuer_log", "job_attempt"):
            assert CANARY not in str(await owner.fetch(f"SELECT * FROM {table}"))
    finally:
        await owner.close()


@pytest.mark.promise("P1")
@pytest.mark.parametrize("kind", [ValueError, SystemExit, GeneratorExit, asyncio.CancelledError, Odd])
async def test_a_job_that_raises_anything_harms_no_other(database: Database, kind: type[BaseException]) -> None:
    bad, good, [practice] = Notes(kind(), kind()), Notes(), await practices(1)
    jobs = Stage().jobs(bad.job("bad", retries=1), good.job("good"))
    async with jobs.running(database.dsn):
        await put(jobs, "ward.bad", practice)
        await put(jobs, "ward.good", practice)
        await settled(database)
        [held] = await jobs.held()
        assert jobs.state is WorkerState.RUNNING
        await put(jobs, "ward.good", practice)
        await settled(database)
    assert (held.name, held.attempts) == ("ward.bad", 2)
    assert held.reason.startswith(f"{kind.__name__} at ")
    assert len(bad.runs) == 2
    assert len(good.runs) == 2


@pytest.mark.promise("P1")
async def test_a_job_that_hangs_is_cut_and_held(database: Database) -> None:
    cut, [practice] = list[int](), await practices(1)

    async def hang(run: JobRun) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(run.attempt)

    jobs = Stage().jobs(job("hang", hang, retries=1), pace=replace(QUICK, run=0.2))
    async with jobs.running(database.dsn):
        await put(jobs, "ward.hang", practice)
        await settled(database)
    [held] = await jobs.held()
    assert (held.name, held.attempts) == ("ward.hang", 2)
    assert held.reason.startswith(f"TimeoutError at {__name__}:hang:")
    assert cut == [1, 2]


@pytest.mark.promise("P1")
async def test_however_many_of_a_job_hang_there_is_room_for_others(database: Database) -> None:
    hanging, leave, good, [practice] = list[int](), asyncio.Event(), Notes(), await practices(1)

    async def hang(run: JobRun) -> None:
        hanging.append(run.payload["n"])
        await leave.wait()

    jobs = Stage().jobs(job("hang", hang), good.job(), pace=replace(QUICK, at_once=10, at_once_per_job=5))
    async with jobs.running(database.dsn):
        for n in range(12):  # more than the worker has places
            await put(jobs, "ward.hang", practice, {"n": n})
        await until(lambda: len(hanging) >= 5, "five that hang")
        await put(jobs, "ward.note", practice)
        await until(lambda: len(good.runs) == 1, "the good one runs")
        assert len(hanging) == 5
        leave.set()
        await settled(database)
    assert sorted(hanging) == list(range(12))


@pytest.mark.promise("P1")
async def test_a_job_that_blocks_the_loop_is_interrupted_named_and_held(database: Database) -> None:
    good, [practice] = Notes(), await practices(1)
    stage = Stage()

    async def spin(run: JobRun) -> None:
        while True:
            pass

    jobs = stage.jobs(job("spin", spin, retries=1), good.job())
    watchdog = Watchdog({__name__: "ward"}, seconds=0.2, now=stage.clock.now)
    async with watchdog.running(), jobs.running(database.dsn):
        await put(jobs, "ward.spin", practice)
        await put(jobs, "ward.note", practice)
        await settled(database)
    [held] = await jobs.held()
    assert (held.name, held.attempts) == ("ward.spin", 2)
    assert held.reason.startswith(f"Blocked at {__name__}:spin:")
    assert watchdog.counts["ward"] == 2
    assert len(good.runs) == 1


@pytest.mark.promise("P1")
async def test_a_job_that_fails_for_one_practice_runs_for_another(database: Database) -> None:
    unlucky, lucky = await practices(2)
    done: list[UUID] = []

    async def fail_for_one(run: JobRun) -> None:
        if run.practice_id == unlucky:
            raise Odd
        done.append(run.practice_id)

    jobs = Stage().jobs(job("work", fail_for_one, retries=0))
    async with jobs.running(database.dsn):
        for practice in (unlucky, lucky):
            await put(jobs, "ward.work", practice)
        await settled(database)
    assert done == [lucky]
    assert [held.practice_id for held in await jobs.held()] == [unlucky]


@pytest.mark.rule("L3")
async def test_a_job_whose_feature_is_not_in_the_plan_ends_quietly_and_runs_for_others(database: Database) -> None:
    with_it, without = await practices(2)
    stage, notes = Stage(), Notes()
    stage.plans.with_feature.add(with_it)
    jobs = stage.jobs(notes.job(feature=FEATURE.key))
    with capture_logs() as logs:
        async with jobs.running(database.dsn):
            for practice in (without, with_it):
                await put(jobs, "ward.note", practice)
            await settled(database)
            assert notes.practices == [with_it]
            assert await jobs.held() == []
            assert jobs.faults == {}
            assert [line["practice"] for line in logs if line["event"] == "job not in the practice's plan"] == [
                str(without)
            ]
            stage.plans.with_feature.add(without)  # asked at each run, not when it was enqueued
            await put(jobs, "ward.note", without)
            await settled(database)
    assert notes.practices == [with_it, without]


async def test_a_plan_that_can_not_be_read_makes_the_job_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    [practice] = await practices(1)
    stage, notes = Stage(), Notes()
    stage.plans.with_feature.add(practice)
    answers: list[BaseException] = [Unavailable("The database is away.")]
    read = stage.plans.states

    async def states(practice_id: UUID) -> Any:
        if answers:
            raise answers.pop()
        return await read(practice_id)

    monkeypatch.setattr(stage.plans, "states", states)
    jobs = stage.jobs(notes.job(feature=FEATURE.key))
    async with jobs.running(database.dsn):
        await put(jobs, "ward.note", practice)
        await settled(database)
    assert [run.attempt for run in notes.runs] == [2]


async def test_a_durable_listeners_event_is_run_like_a_job(database: Database) -> None:
    [practice] = await practices(1)
    heard: list[JobRun] = []

    async def hear(run: JobRun) -> None:
        heard.append(run)

    jobs = Stage().jobs(listeners=[("ward", "listener.ward.PlanChanged", hear)])
    async with jobs.running(database.dsn):
        await put(jobs, "listener.ward.PlanChanged", practice, {"tier": "premium"})
        await settled(database)
    assert [(run.practice_id, run.payload) for run in heard] == [(practice, {"tier": "premium"})]


async def test_a_job_of_a_plugin_that_is_not_here_waits_for_a_process_that_has_it(database: Database) -> None:
    [practice] = await practices(1)
    stage, notes, other = Stage(), Notes(), Notes()
    here, elsewhere = stage.jobs(other.job("other")), stage.jobs(notes.job())
    await put(elsewhere, "ward.note", practice)
    async with here.running(database.dsn):
        await put(here, "ward.other", practice)
        await until(lambda: len(other.runs) == 1, "the job that is known here")
    assert await waiting(database) == 1
    async with elsewhere.running(database.dsn):
        await settled(database)
    assert len(notes.runs) == 1
