"""Scheduled jobs: once for each practice at each tick of the product's clock, however many workers there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from jobs_stage import Notes, Stage, practices, until

from bedside_core.clock import Clock
from bedside_core.database import DB
from bedside_core.jobs.declared import next_due
from bedside_core.jobs.schedules import Schedules
from bedside_core.testing import Database

NIGHTLY = "0 3 * * *"
NAME = "ward.nightly"


class FakeClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
async def pool(database: Database) -> AsyncGenerator[Any]:
    """Connections such as a worker has."""

    async def as_queue(connection: Any) -> None:
        await connection.execute("SET ROLE bedside_queue")

    async with asyncpg.create_pool(database.dsn, min_size=1, max_size=4, init=as_queue) as made:
        yield made


async def enqueued(pool: Any) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT headers->>'practice', convert_from(payload, 'utf8') FROM pgqueuer ORDER BY id")
    return [tuple(row) for row in rows]


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


def tick(practices: list[UUID], due: str) -> list[tuple[str, str]]:
    return [(str(practice), f'{{"due_at":"{due}"}}') for practice in sorted(practices)]


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        (NIGHTLY, at(1, 2, 59, 59), at(1, 3)),
        (NIGHTLY, at(1, 3), at(2, 3)),
        ("*/15 * * * *", at(1, 2, 59, 59), at(1, 3)),
        ("30 1 * * 1", at(1), at(2, 1, 30)),
    ],
)
def test_a_schedule_is_read_in_utc_and_later_than_now(cron: str, after: datetime, due: datetime) -> None:
    assert next_due(cron, after) == due
    assert next_due(cron, after).utcoffset() == timedelta(0)


async def test_nothing_is_due_before_its_time_and_each_tick_comes_once(pool: Any) -> None:
    both, clock = await practices(2), FakeClock(at(1, 12))
    schedules = Schedules({NAME: NIGHTLY}, clock)
    await schedules.register(pool)
    clock.at = at(2, 2, 59, 59)
    assert await schedules.scan(pool) == 0
    clock.at = at(2, 3)
    assert await schedules.scan(pool) == 1
    assert await enqueued(pool) == tick(both, "2026-03-02T03:00:00Z")
    assert await schedules.scan(pool) == 0
    clock.at = at(3, 3, 0, 5)
    assert await schedules.scan(pool) == 1
    assert await enqueued(pool) == tick(both, "2026-03-02T03:00:00Z") + tick(both, "2026-03-03T03:00:00Z")


async def test_of_many_that_look_at_once_one_finds_it_due(pool: Any) -> None:
    both, clock = await practices(2), FakeClock(at(1, 12))
    workers = [Schedules({NAME: NIGHTLY}, clock) for _ in range(8)]
    for worker in workers:
        await worker.register(pool)
    clock.at = at(2, 3)
    found = await asyncio.gather(*(worker.scan(pool) for worker in workers))
    assert sorted(found) == [0] * 7 + [1]
    assert await enqueued(pool) == tick(both, "2026-03-02T03:00:00Z")


async def test_a_clock_that_steps_back_brings_no_tick_again(pool: Any) -> None:
    [practice], clock = await practices(1), FakeClock(at(1, 12))
    schedules = Schedules({NAME: NIGHTLY}, clock)
    await schedules.register(pool)
    for moment in (at(2, 3), at(2, 2, 59, 58), at(2, 3), at(2, 3, 0, 1)):
        clock.at = moment
        await schedules.scan(pool)
    assert await enqueued(pool) == tick([practice], "2026-03-02T03:00:00Z")


async def test_what_was_missed_is_made_up_for_once(pool: Any) -> None:
    [practice], clock = await practices(1), FakeClock(at(1, 12))
    schedules = Schedules({NAME: NIGHTLY}, clock)
    await schedules.register(pool)
    clock.at = at(20, 12)
    assert [await schedules.scan(pool) for _ in range(3)] == [1, 0, 0]
    assert await enqueued(pool) == tick([practice], "2026-03-02T03:00:00Z")
    clock.at = at(21, 3)
    assert await schedules.scan(pool) == 1


async def test_a_clock_moved_far_ahead_and_back_does_not_silence_a_job(pool: Any) -> None:
    await practices(1)
    clock = FakeClock(at(1, 12))
    schedules = Schedules({NAME: NIGHTLY}, clock)
    await schedules.register(pool)
    clock.at = at(28, 12)
    assert await schedules.scan(pool) == 1
    clock.at = at(1, 12)
    assert await schedules.scan(pool) == 0
    clock.at = at(2, 3)
    assert await schedules.scan(pool) == 1


async def test_a_worker_whose_clock_is_behind_brings_no_tick_again(pool: Any) -> None:
    await practices(1)
    ahead, behind = FakeClock(at(1, 12)), FakeClock(at(1, 11, 50))
    quick, slow = (Schedules({NAME: "* * * * *"}, clock) for clock in (ahead, behind))
    await quick.register(pool)
    ahead.at += timedelta(minutes=1)
    assert [await quick.scan(pool), await slow.scan(pool), await quick.scan(pool)] == [1, 0, 0]


async def test_a_worker_that_fails_in_the_middle_leaves_tick_and_jobs_to_the_next(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, clock = await practices(2), FakeClock(at(1, 12))
    schedules = Schedules({NAME: NIGHTLY}, clock)
    await schedules.register(pool)
    clock.at = at(2, 3)
    execute_many = asyncpg.Connection.executemany

    async def dies(*args: Any, **options: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(asyncpg.Connection, "executemany", dies)
    with pytest.raises(ConnectionResetError):
        await schedules.scan(pool)
    assert await enqueued(pool) == []
    monkeypatch.setattr(asyncpg.Connection, "executemany", execute_many)
    assert await schedules.scan(pool) == 1
    assert await enqueued(pool) == tick(both, "2026-03-02T03:00:00Z")


async def test_a_changed_schedule_counts_from_now_and_a_removed_one_is_left_alone(pool: Any) -> None:
    [practice], clock = await practices(1), FakeClock(at(1, 12))
    await Schedules({NAME: NIGHTLY, "ward.gone": NIGHTLY}, clock).register(pool)
    changed = Schedules({NAME: "0 14 * * *"}, clock)
    await changed.register(pool)
    clock.at = at(1, 14)
    assert await changed.scan(pool) == 1
    clock.at = at(2, 4)
    assert await changed.scan(pool) == 0
    assert await enqueued(pool) == tick([practice], "2026-03-01T14:00:00Z")


async def test_two_workers_run_a_job_once_for_each_practice_when_the_clock_is_moved(
    database: Database,
) -> None:
    three = await practices(3)
    notes = Notes()
    # Once a year, for no real midnight to come in between.
    first, second = (Stage().jobs(notes.job("yearly", schedule="0 3 1 1 *")) for _ in range(2))
    async with first.running(database.dsn), second.running(database.dsn):
        for year in (1, 2):
            await until(lambda: registered(database), "the schedule is known")
            await DB.execute("SELECT clock_move($1)", timedelta(days=366).total_seconds())  # as another process would
            await until(lambda year=year: len(notes.runs) >= 3 * year, f"year {year}")
        await until(lambda: idle(database), "nothing is left to run")
    due = sorted((run.payload["due_at"], run.practice_id) for run in notes.runs)
    assert len(due) == 6
    assert [practice for _, practice in due] == sorted(three) * 2
    assert len({moment for moment, _ in due}) == 2
    assert {run.attempt for run in notes.runs} == {1}


async def registered(database: Database) -> bool:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetchval("SELECT EXISTS (SELECT FROM job_schedule)")
    finally:
        await owner.close()


async def idle(database: Database) -> bool:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return not await owner.fetchval("SELECT EXISTS (SELECT FROM pgqueuer)")
    finally:
        await owner.close()
