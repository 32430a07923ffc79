"""What may be declared, how work gets into the queue, and who may touch it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import asyncpg
import pytest
from jobs_stage import Notes, Stage, practices, put, until
from pgqueuer import AsyncpgDriver, Queries

from bedside_core.database import DB, QUEUE, acting
from bedside_core.jobs import Job, JobRun, WorkerState
from bedside_core.testing import Database

CHANNEL = "ch_pgqueuer"


async def nothing(run: JobRun) -> None:
    """A job's function."""


def plain(run: JobRun) -> None:
    """Not a coroutine."""


async def queue(columns: str = "*") -> list[dict[str, Any]]:
    """The rows of the queue, as the worker's role sees them."""
    async with DB.transaction():
        await DB.execute(f"SET LOCAL ROLE {QUEUE}")
        return [dict(row) for row in await DB.fetch(f"SELECT {columns} FROM pgqueuer ORDER BY id")]


# Declaring


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"name": "Nightly run"}, "name is not lower case"),
        ({"function": plain}, "not an `async def`"),
        ({"doc": " "}, "says nothing in `doc`"),
        ({"retries": -1}, "can't have -1 retries"),
        ({"public": False}, "either a feature or public=True"),
        ({"feature": "rounds"}, "either a feature or public=True"),
        ({"schedule": "0 3 * *"}, "not a cron expression of five fields"),
        ({"schedule": "0 0 3 * * *"}, "not a cron expression of five fields"),
        ({"schedule": "@daily"}, "not a cron expression of five fields"),
        ({"schedule": "61 * * * *"}, "not a cron expression of five fields"),
    ],
)
def test_a_job_that_can_not_be_right_is_refused_in_words(facts: dict[str, Any], reason: str) -> None:
    right: dict[str, Any] = {"name": "nightly", "function": nothing, "doc": "Does nothing.", "public": True}
    Job(**right)
    with pytest.raises(ValueError, match=reason):
        Job(**{**right, **facts})


def test_a_job_is_known_by_its_plugin_and_name_and_only_once() -> None:
    stage, notes = Stage(), Notes()
    assert list(stage.jobs(notes.job("a"), notes.job("b")).entries) == ["ward.a", "ward.b"]
    with pytest.raises(ValueError, match=r"plugin ward declares the job ward\.a twice"):
        stage.jobs(notes.job("a"), notes.job("a"))


# Enqueueing


async def test_a_job_is_in_the_queue_when_its_transaction_is_committed(database: Database) -> None:
    jobs, [practice] = Stage().jobs(Notes().job()), await practices(1)
    async with DB.transaction(), DB.connection() as connection:
        await jobs.enqueue(connection, "ward.note", {"at": "noon"}, practice)
        async with asyncio.TaskGroup() as group:
            with DB.outside():
                seen = group.create_task(queue())
        assert seen.result() == []
    [row] = await queue()
    assert (row["entrypoint"], row["payload"], row["headers"]) == (
        "ward.note",
        b'{"at":"noon"}',
        {"practice": str(practice)},
    )


async def test_a_transaction_that_is_rolled_back_leaves_no_job(database: Database) -> None:
    jobs, [practice] = Stage().jobs(Notes().job()), await practices(1)
    with pytest.raises(ZeroDivisionError):
        async with DB.transaction(), DB.connection() as connection:
            await jobs.enqueue(connection, "ward.note", {}, practice)
            raise ZeroDivisionError
    assert await queue() == []


async def test_a_job_nobody_declared_is_refused(database: Database) -> None:
    jobs, [practice] = Stage().jobs(Notes().job()), await practices(1)
    with pytest.raises(LookupError, match=r"no job 'ward\.other' is declared"):
        await put(jobs, "ward.other", practice)
    assert await queue() == []


# The seam: what pgqueuer does itself


async def test_enqueue_leaves_what_pgqueuers_own_enqueue_leaves(database: Database) -> None:
    jobs, [practice] = Stage().jobs(Notes().job()), await practices(1)
    owner = await asyncpg.connect(database.owner_dsn)
    told: list[str] = []
    await owner.add_listener(CHANNEL, lambda *args: told.append(args[-1]))
    try:
        await put(jobs, "ward.note", practice, {"n": 1})
        await until(lambda: len(told) == 1, "a notification of ours")
        [theirs] = await Queries(AsyncpgDriver(owner)).enqueue(
            "ward.note", b'{"n":1}', headers={"practice": str(practice)}
        )
        await until(lambda: len(told) == 2, "a notification of theirs")
        rows = await owner.fetch("SELECT * FROM pgqueuer ORDER BY id")
        logged = await owner.fetch("SELECT * FROM pgqueuer_log ORDER BY id")
    finally:
        await owner.close()
    assert [row["id"] for row in rows] == [theirs - 1, theirs]
    moments = {"id", "created", "updated", "heartbeat", "execute_after"}
    ours, other = ({key: value for key, value in row.items() if key not in moments} for row in rows)
    assert ours == other
    for row in rows:
        assert row["created"] == row["updated"] == row["heartbeat"] == row["execute_after"]
    ours, other = (
        {key: value for key, value in row.items() if key not in {"id", "job_id", "created"}} for row in logged
    )
    assert ours == other
    assert [row["job_id"] for row in logged] == [row["id"] for row in rows]


async def test_a_job_with_the_same_key_is_skipped_as_pgqueuer_does(database: Database) -> None:
    [practice] = await practices(1)
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        sql = "SELECT job_enqueue('ward.note', 'x', $1, 'key')"
        assert await owner.fetchval(sql, practice) is not None
        for status in ("queued", "picked"):
            await owner.execute("UPDATE pgqueuer SET status = $1::text::pgqueuer_status", status)
            assert await owner.fetchval(sql, practice) is None
            assert await Queries(AsyncpgDriver(owner)).enqueue(
                "ward.note", None, dedupe_key="key", on_conflict="skip"
            ) == [None]
        await owner.execute("UPDATE pgqueuer SET status = 'failed'")
        assert await owner.fetchval(sql, practice) is not None
        assert await owner.fetchval("SELECT count(*) FROM pgqueuer_log") == 2
    finally:
        await owner.close()


async def test_pgqueuer_finds_its_tables_up_to_date(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        plan = await Queries(AsyncpgDriver(owner)).plan_upgrade()
    finally:
        await owner.close()
    assert plan.statements == ()


async def test_the_environment_does_not_rename_the_queue() -> None:
    """pgqueuer reads variables that deployments set for other things."""
    code = "from bedside_core.jobs.library import NAMES; print(NAMES.channel, NAMES.queue_table, NAMES.function)"
    renaming = {"CHANNEL": "stable", "QUEUE_TABLE": "q", "FUNCTION": "f", "PGQUEUER_PREFIX": "my_"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env={**os.environ, **renaming}
    )
    told, _ = await process.communicate()
    assert told.decode().split() == [CHANNEL, "pgqueuer", "fn_pgqueuer_changed"]


# Rights

TABLES = ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics", "job_attempt", "job_schedule")


@pytest.mark.parametrize("table", TABLES)
async def test_the_application_reaches_the_queue_by_functions_only(database: Database, table: str) -> None:
    jobs, [practice] = Stage().jobs(Notes().job()), await practices(1)
    await put(jobs, "ward.note", practice)
    with acting(practice):
        for sql in (f"SELECT * FROM {table}", f"DELETE FROM {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await DB.execute(sql)
    assert len(await queue()) == 1


async def test_the_worker_reaches_the_queue_and_nothing_else(database: Database) -> None:
    async with DB.transaction():
        await DB.execute(f"SET LOCAL ROLE {QUEUE}")
        rows = await DB.fetch(
            """SELECT relname AS name, has_table_privilege(oid, 'SELECT') AS reads FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"""
        )
        functions = await DB.fetch(
            """SELECT proname AS name FROM pg_proc
               WHERE pronamespace = 'public'::regnamespace AND prosecdef AND has_function_privilege(oid, 'EXECUTE')"""
        )
    assert {row["name"] for row in rows if row["reads"]} == set(TABLES)
    assert {row["name"] for row in functions} == {"job_enqueue", "notify_wake", "practice_ids", "webhook_wake"}


async def test_a_process_without_a_worker_says_so(database: Database) -> None:
    jobs = Stage().jobs(Notes().job())
    assert jobs.state is WorkerState.OFF
    async with jobs.running(database.dsn):
        assert jobs.state is WorkerState.RUNNING
    assert jobs.state is WorkerState.OFF
