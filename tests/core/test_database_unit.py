"""A unit of work: rows, jobs and events together or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest
from piccolo.engine.exceptions import TransactionError

from bedside_core.database import (
    DB,
    Announcement,
    Connection,
    TransactionAborted,
    TransactionOver,
    acting,
    set_outlet,
    unit,
)
from bedside_core.errors import Unavailable
from bedside_core.ids import uuid7
from bedside_core.testing import Database, statements, until

EAST = uuid7()
COMMITTING = """SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep')"""


@pytest.fixture(scope="session")
def database_core() -> str:
    return "ward.piccolo_app"


class Recorder:
    """An outlet that keeps what it is given; jobs become notes, so that they live and die with the transaction."""

    def __init__(self) -> None:
        self.delivered: list[tuple[tuple[object, ...], tuple[Announcement, ...]]] = []
        self.durables: list[tuple[object, ...]] = []
        self.fails_after_commit = False

    async def enqueue(self, connection: Connection, name: str, payload: Mapping[str, Any]) -> None:
        await connection.execute(
            "INSERT INTO note (id, practice_id, body, data) VALUES ($1, $2, $3, $4)", uuid7(), EAST, name, payload
        )

    async def durable(self, events: Sequence[object]) -> None:
        assert DB.transaction_exists()
        self.durables.append(tuple(events))

    def after_commit(self, events: Sequence[object], announcements: Sequence[Announcement]) -> None:
        assert not DB.transaction_exists()
        self.delivered.append((tuple(events), tuple(announcements)))
        if self.fails_after_commit:
            raise ZeroDivisionError


@pytest.fixture
def outlet(database: Database) -> Iterator[Recorder]:
    recorder = Recorder()
    set_outlet(recorder)
    yield recorder
    set_outlet(None)


async def notes() -> list[str]:
    return [row["body"] for row in await DB.fetch("SELECT body FROM note ORDER BY id")]


async def insert_note(body: str) -> None:
    await DB.execute("INSERT INTO note (id, practice_id, body) VALUES ($1, $2, $3)", uuid7(), EAST, body)


async def test_what_a_unit_gathers_is_delivered_once_in_order_after_its_commit(outlet: Recorder) -> None:
    with acting(EAST):
        async with unit() as work:
            await insert_note("row")
            work.emit("first")
            work.publish("topic", 7)
            await work.enqueue("job", {"n": 1})
            work.emit("second")
            assert outlet.delivered == outlet.durables == []
        assert outlet.delivered == [(("first", "second"), (("topic", 7),))]
        assert outlet.durables == [("first", "second")]
        assert await notes() == ["row", "job"]


async def test_a_unit_that_raises_leaves_no_row_no_job_and_no_event(outlet: Recorder) -> None:
    with acting(EAST):
        with pytest.raises(ZeroDivisionError):
            async with unit() as work:
                await insert_note("row")
                await work.enqueue("job", {})
                work.emit("event")
                work.publish("topic", 1)
                raise ZeroDivisionError
        assert outlet.delivered == outlet.durables == []
        assert await notes() == []


async def test_a_commit_that_fails_leaves_no_row_and_delivers_nothing(outlet: Recorder) -> None:
    with acting(EAST):
        for _ in range(12):  # more often than the pool has connections
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                async with unit() as work:
                    await insert_note("row")
                    await DB.execute(
                        "INSERT INTO label (practice_id, note_id, name) VALUES ($1, $2, 'x')", EAST, uuid7()
                    )
                    work.emit("event")
        assert outlet.delivered == []
        assert await notes() == []


async def test_a_caught_failure_of_a_statement_delivers_nothing(outlet: Recorder) -> None:
    with acting(EAST):
        with pytest.raises(TransactionAborted):
            async with unit() as work:
                await insert_note("row")
                work.emit("event")
                with contextlib.suppress(asyncpg.DivisionByZeroError):
                    await DB.fetchval("SELECT 1/0")
        assert outlet.delivered == []
        assert await notes() == []


async def test_a_durable_listener_that_cannot_be_enqueued_undoes_the_unit(
    outlet: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(events: Sequence[object]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outlet, "durable", fail)
    with acting(EAST):
        with pytest.raises(ZeroDivisionError):
            async with unit() as work:
                await insert_note("row")
                work.emit("event")
        assert outlet.delivered == []
        assert await notes() == []


async def test_a_unit_inside_another_one_joins_it(outlet: Recorder) -> None:
    with acting(EAST):
        async with unit() as outer:
            outer.emit("before")
            async with unit() as inner:
                assert inner is outer
                await insert_note("inner")
                inner.emit("inner")
            assert outlet.delivered == []
            outer.emit("after")
        assert outlet.delivered == [(("before", "inner", "after"), ())]
        with pytest.raises(ZeroDivisionError):
            async with unit():
                async with unit() as inner:
                    await insert_note("undone")
                    inner.emit("undone")
                raise ZeroDivisionError
        assert len(outlet.delivered) == 1
        assert await notes() == ["inner"]


async def test_sibling_tasks_of_a_unit_share_it_and_stragglers_are_told_off(outlet: Recorder) -> None:
    ended = asyncio.Event()

    async def sibling(number: int) -> None:
        async with unit() as work:
            await insert_note(str(number))
            work.emit(number)

    async def straggle() -> None:
        await ended.wait()
        with pytest.raises(TransactionOver):
            work.emit("late")
        with pytest.raises(TransactionOver):
            async with unit():
                pytest.fail("entered")

    with acting(EAST):
        async with unit() as work:
            await asyncio.gather(*(sibling(number) for number in range(5)))
            straggler = asyncio.create_task(straggle())
        ended.set()
        await straggler
        ((events, _),) = outlet.delivered
        assert set(events) == set(range(5))
        assert len(await notes()) == 5


async def test_a_unit_cannot_join_a_bare_transaction_whose_commit_it_would_not_see(outlet: Recorder) -> None:
    async with DB.transaction():
        with pytest.raises(TransactionError):
            async with unit():
                pytest.fail("entered")


async def test_an_outlet_that_fails_after_the_commit_is_logged_and_not_told(
    outlet: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    outlet.fails_after_commit = True
    with acting(EAST):
        with caplog.at_level(logging.ERROR):
            async with unit() as work:
                await insert_note("row")
                work.emit("a secret")
        assert await notes() == ["row"]
    assert "could not be handed on" in caplog.text
    assert "a secret" not in caplog.text


async def test_a_cancellation_during_the_commit_still_delivers_what_is_committed(
    outlet: Recorder, database: Database
) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("""
        CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON note INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();
    """)

    async def write() -> None:
        async with unit() as work:
            await insert_note("row")
            work.emit("event")

    with acting(EAST):
        writing = asyncio.create_task(write())
        await until(lambda: owner.fetchval(COMMITTING), "the commit to run")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await notes() == ["row"]
    assert outlet.delivered == [(("event",), ())]
    await owner.close()


async def test_a_unit_that_loses_its_connection_is_unavailable_and_delivers_nothing(
    outlet: Recorder, database: Database
) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    with acting(EAST):
        with pytest.raises(Unavailable):
            async with unit() as work:
                await insert_note("row")
                work.emit("event")
                pid = await DB.fetchval("SELECT pg_backend_pid()")
                await owner.fetch("SELECT pg_terminate_backend($1, 1000)", pid)
        assert outlet.delivered == []
        assert await notes() == []
    await owner.close()


async def test_without_a_platform_events_cannot_be_emitted_and_nothing_is_written(database: Database) -> None:
    with acting(EAST):
        with pytest.raises(RuntimeError, match="no platform is running"):
            async with unit() as work:
                await insert_note("row")
                work.emit("event")
        assert await notes() == []
        async with unit():
            await insert_note("no events, no need")
        assert await notes() == ["no events, no need"]


async def test_a_unit_costs_no_statement_of_its_own(outlet: Recorder) -> None:
    with acting(EAST), statements() as ran:
        async with unit() as work:
            await insert_note("row")
            work.emit("event")
    assert len(ran) == 1
