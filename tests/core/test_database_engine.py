"""The engine: Piccolo's four defects mended, with the stock class failing alongside, and row-level security (A3)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from piccolo.engine.postgres import PostgresEngine

from bedside_core.database import DB, ScopeError, TransactionAborted, TransactionOver, acting
from bedside_core.errors import Unavailable
from bedside_core.ids import uuid7
from bedside_core.testing import Database, statements, until

EAST, WEST = uuid7(), uuid7()
Note: Any = importlib.import_module("ward.tables").Note

COMMITTING = """SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep')"""
END_ALL = """SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
             WHERE datname = current_database() AND usename = 'bedside_app'"""


@pytest.fixture(scope="session")
def database_core() -> str:
    return "ward.piccolo_app"


@pytest.fixture
async def stock(fresh_database: Database) -> AsyncGenerator[PostgresEngine]:
    """Piccolo's own engine on the same database, as the owner."""
    engine = PostgresEngine(config={"dsn": fresh_database.owner_dsn}, extensions=())
    await engine.start_connection_pool(min_size=1, max_size=4)
    yield engine
    assert engine.pool is not None
    engine.pool.terminate()


def in_use() -> int:
    assert DB.pool is not None
    return DB.pool.get_size() - DB.pool.get_idle_size()


async def insert_note(practice: UUID, body: str = "", id: UUID | None = None) -> UUID:
    made = id or uuid7()
    await DB.execute("INSERT INTO note (id, practice_id, body) VALUES ($1, $2, $3)", made, practice, body)
    return made


async def label_nothing(practice: UUID) -> None:
    """Insert what only the COMMIT refuses: the foreign key is deferred."""
    await DB.execute("INSERT INTO label (practice_id, note_id, name) VALUES ($1, $2, 'x')", practice, uuid7())


# First defect: a failing COMMIT.


async def test_a_failing_commit_gives_its_connection_back(database: Database) -> None:
    with acting(EAST):
        for _ in range(12):  # more often than the pool has connections
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                async with DB.transaction():
                    await label_nothing(EAST)
            assert not DB.transaction_exists()
            assert in_use() == 0
        assert await DB.fetchval("SELECT count(*) FROM label") == 0


async def test_stock_piccolo_leaks_the_connection_of_a_failing_commit(stock: PostgresEngine) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with stock.transaction() as transaction:
            await transaction.connection.execute(
                "INSERT INTO label (practice_id, note_id, name) VALUES ($1, $2, 'x')", EAST, uuid7()
            )
    assert stock.pool is not None
    assert stock.pool.get_size() - stock.pool.get_idle_size() == 1
    assert stock.transaction_exists()


# Second defect: sibling tasks share the transaction's connection.


async def test_sibling_tasks_take_turns_on_their_transactions_connection(database: Database) -> None:
    async with DB.transaction():
        told = await asyncio.gather(*(DB.fetchval("SELECT $1::int, pg_sleep(0.001)", n) for n in range(20)))
        pids = await asyncio.gather(*(DB.fetchval("SELECT pg_backend_pid()") for _ in range(5)))
    assert told == list(range(20))
    assert len(set(pids)) == 1


async def test_stock_piccolo_fails_siblings(stock: PostgresEngine) -> None:
    told: list[object] = []
    async with stock.transaction():
        told += await asyncio.gather(*(stock.run_ddl("SELECT 1") for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in told].count(asyncpg.InterfaceError) == 4


async def test_the_commit_waits_for_a_sibling_that_is_in_the_midst_of_a_statement(database: Database) -> None:
    with acting(EAST):
        async with DB.transaction():
            sibling = asyncio.create_task(DB.fetchval("SELECT count(*) FROM note, pg_sleep(0.05)"))
            await asyncio.sleep(0)
        assert await sibling == 0


# Third defect: a task that outlives its transaction.


async def test_a_task_that_outlives_its_transaction_is_told_so(database: Database) -> None:
    ended = asyncio.Event()

    async def straggle() -> str:
        await ended.wait()
        with pytest.raises(TransactionOver, match="started inside a transaction that has ended") as statement:
            await DB.fetchval("SELECT 1")
        with pytest.raises(TransactionOver):
            async with DB.transaction():
                pass
        return str(statement.value)

    async with DB.transaction():
        straggler = asyncio.create_task(straggle())
    ended.set()
    assert "DB.outside()" in await straggler


async def test_a_task_started_outside_has_connections_of_its_own(database: Database) -> None:
    ended = asyncio.Event()

    async def straggle() -> int:
        await ended.wait()
        return await DB.fetchval("SELECT 1")

    async with DB.transaction():
        inside = await DB.fetchval("SELECT pg_backend_pid()")
        with DB.outside():
            straggler = asyncio.create_task(straggle())
            assert await DB.fetchval("SELECT pg_backend_pid()") != inside
        assert await DB.fetchval("SELECT pg_backend_pid()") == inside
    ended.set()
    assert await straggler == 1


async def test_stock_piccolo_gives_a_straggler_a_connection_that_is_gone(stock: PostgresEngine) -> None:
    ended = asyncio.Event()

    async def straggle() -> object:
        await ended.wait()
        return await stock.run_ddl("SELECT 1")

    stragglers: list[asyncio.Task[object]] = []
    async with stock.transaction():
        stragglers.append(asyncio.create_task(straggle()))
    ended.set()
    with pytest.raises(asyncpg.InterfaceError, match="released back to the pool"):
        await stragglers[0]


# Fourth defect: a nested transaction.


async def test_a_nested_transaction_joins_the_outer_one(database: Database) -> None:
    with acting(EAST):
        with pytest.raises(ZeroDivisionError):
            async with DB.transaction() as outer:
                async with DB.transaction() as inner:
                    assert inner is outer
                    await insert_note(EAST)
                raise ZeroDivisionError
        assert await DB.fetchval("SELECT count(*) FROM note") == 0


async def test_a_savepoint_undoes_its_block_alone(database: Database) -> None:
    with acting(EAST):
        async with DB.transaction():
            first = await insert_note(EAST)
            with pytest.raises(asyncpg.UniqueViolationError):
                async with DB.savepoint():
                    await insert_note(EAST, "undone")
                    await insert_note(EAST, id=first)
            async with DB.savepoint():
                third = await insert_note(EAST)
        assert [row["id"] for row in await DB.fetch("SELECT id FROM note ORDER BY id")] == [first, third]


async def test_a_savepoint_needs_a_transaction(database: Database) -> None:
    with pytest.raises(RuntimeError, match="needs an open transaction"):
        async with DB.savepoint():
            pass


async def test_a_caught_failure_is_not_taken_for_a_commit(database: Database) -> None:
    # PostgreSQL answers such a COMMIT with "ROLLBACK" and no error: unseen, the rows would be lost in silence.
    with acting(EAST):
        with pytest.raises(TransactionAborted, match="savepoint"):
            async with DB.transaction():
                await insert_note(EAST)
                with contextlib.suppress(asyncpg.DivisionByZeroError):
                    await DB.fetchval("SELECT 1/0")
        assert await DB.fetchval("SELECT count(*) FROM note") == 0


# Cancellation and lost connections.


async def test_cancelled_statements_give_their_connections_back(database: Database) -> None:
    async def slow(how: str) -> None:
        if how == "transaction":
            async with DB.transaction():
                await DB.execute("SELECT pg_sleep(30)")
        await DB.execute("SELECT pg_sleep(30)")

    tasks = [asyncio.create_task(slow(how)) for how in ("transaction", "pool") * 10]
    await until(lambda: in_use() == 10, "all connections to be taken")
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 20
    await until(lambda: in_use() == 0, "the connections to be given back")
    assert await asyncio.gather(*(DB.fetchval("SELECT 1") for _ in range(20))) == [1] * 20


async def test_a_commit_goes_through_although_its_task_is_cancelled_meanwhile(database: Database) -> None:
    # A trigger that runs at the COMMIT makes it last.
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("""
        CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON note INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();
    """)

    async def write() -> None:
        async with DB.transaction():
            await insert_note(EAST)

    with acting(EAST):
        writing = asyncio.create_task(write())
        await until(lambda: owner.fetchval(COMMITTING), "the commit to run")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await DB.fetchval("SELECT count(*) FROM note") == 1
    await owner.close()


async def test_a_lost_connection_is_a_coded_retryable_problem_and_the_pool_recovers(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    with pytest.raises(Unavailable) as lost:
        async with DB.transaction():
            await DB.fetchval("SELECT 1")
            await owner.fetch(END_ALL)
            await DB.fetchval("SELECT 1")
    assert lost.value.extensions() == {"code": "UNAVAILABLE", "retryable": True, "wayOn": "Try again in a few seconds."}

    statement = asyncio.create_task(DB.execute("SELECT pg_sleep(30)"))
    await until(lambda: in_use() == 1, "the statement to run")
    await owner.fetch(END_ALL)
    with pytest.raises(Unavailable):
        await statement
    assert await asyncio.gather(*(DB.fetchval("SELECT 1") for _ in range(20))) == [1] * 20
    assert in_use() == 0
    await owner.close()


async def test_connections_that_died_while_idle_are_replaced_without_notice(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    for _ in range(2):
        assert await asyncio.gather(*(DB.fetchval("SELECT 1") for _ in range(10))) == [1] * 10
        await owner.fetch(END_ALL)
    assert await DB.fetchval("SELECT 1") == 1
    await owner.close()


async def test_no_server_is_a_coded_retryable_problem(tmp_path) -> None:
    with pytest.raises(Unavailable):
        await DB.open(f"postgresql://nobody@/nothing?host={tmp_path}")
    assert not DB.is_open


async def test_a_statement_before_opening_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"call DB.open\(\) first"):
        await DB.fetch("SELECT 1")


async def test_closing_waits_for_nobody_longer_than_it_is_told(database: Database) -> None:
    task = asyncio.create_task(DB.execute("SELECT pg_sleep(30)"))
    await until(lambda: in_use() == 1, "the statement to run")
    async with asyncio.timeout(3):
        await DB.close(seconds=0.1)
    with pytest.raises(Unavailable):
        await task
    assert not DB.is_open


# Row-level security.


@pytest.mark.promise("A3")
async def test_without_a_practice_no_rows_are_seen_or_written(database: Database) -> None:
    with acting(EAST):
        await insert_note(EAST, "east")
    assert await DB.fetch("SELECT * FROM note") == []
    assert await DB.execute("UPDATE note SET body = 'stolen'") == "UPDATE 0"
    assert await DB.execute("DELETE FROM note") == "DELETE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await insert_note(EAST)
    with acting(EAST):
        assert [row["body"] for row in await DB.fetch("SELECT body FROM note")] == ["east"]


@pytest.mark.promise("A3")
async def test_a_practice_neither_sees_nor_writes_nor_moves_anothers_rows(database: Database) -> None:
    with acting(EAST):
        note = await insert_note(EAST, "east")
    with acting(WEST):
        assert await DB.fetchrow("SELECT * FROM note WHERE id = $1", note) is None
        assert await DB.execute("UPDATE note SET body = 'stolen' WHERE id = $1", note) == "UPDATE 0"
        assert await DB.execute("DELETE FROM note WHERE id = $1", note) == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await insert_note(EAST)
        own = await insert_note(WEST)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await DB.execute("UPDATE note SET practice_id = $1 WHERE id = $2", EAST, own)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await DB.execute("TRUNCATE note CASCADE")
    with acting(EAST):
        assert [tuple(row.values()) for row in await DB.fetch("SELECT id, body FROM note")] == [(note, "east")]


@pytest.mark.promise("A3")
async def test_a_thousand_alternating_requests_over_the_pool_never_see_the_others_rows(database: Database) -> None:
    for practice, body in ((EAST, "east"), (WEST, "west")):
        with acting(practice):
            for _ in range(5):
                await insert_note(practice, body)
    lots = asyncio.Semaphore(50)

    async def request(number: int) -> set[str]:
        practice = (EAST, WEST, None)[number % 3]
        async with lots:
            with acting(practice):
                if number % 2:
                    rows = await DB.fetch("SELECT body FROM note")
                else:
                    async with DB.transaction():
                        rows = await DB.fetch("SELECT body FROM note")
        return {row["body"] for row in rows}

    seen = await asyncio.gather(*(request(number) for number in range(1000)))
    assert seen == [({"east"}, {"west"}, set())[number % 3] for number in range(1000)]


@pytest.mark.promise("A3")
async def test_the_scope_of_one_request_is_gone_for_the_next_also_after_an_error(database: Database) -> None:
    await DB.close()
    await DB.open(database.dsn, min_size=1, max_size=1)  # the very same connection each time
    with acting(EAST):
        await insert_note(EAST)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await DB.fetchval("SELECT 1/0")
    assert await DB.fetchval("SELECT count(*) FROM note") == 0
    assert await DB.fetchval("SELECT app_practice()") is None
    with acting(None, WEST):
        assert await DB.fetchval("SELECT app_person()") == WEST
    # What a borrower leaves behind on the session does not reach the next one.
    await DB.execute("SELECT pg_advisory_lock(1); SET work_mem = '1MB'; SET ROLE bedside_queue")
    told = await DB.fetchrow(
        "SELECT current_user::text AS role, current_setting('work_mem') AS memory, "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks"
    )
    assert told is not None
    assert dict(told) == {"role": "bedside_app", "memory": "4MB", "locks": 0}


@pytest.mark.promise("A3")
async def test_shared_rows_are_seen_by_those_who_take_part_and_written_by_the_practice(database: Database) -> None:
    visitor, room = uuid7(), uuid7()
    with acting(EAST):
        await DB.execute("INSERT INTO room VALUES ($1, $2, 'one'), ($3, $2, 'two')", room, EAST, uuid7())
        await DB.execute("INSERT INTO guest VALUES ($1, $2, $3)", EAST, room, visitor)
    with acting(WEST, visitor):
        assert [row["name"] for row in await DB.fetch("SELECT name FROM room")] == ["one"]
        assert await DB.execute("UPDATE room SET name = 'mine'") == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await DB.execute("INSERT INTO guest VALUES ($1, $2, $3)", EAST, room, uuid7())
    with acting(WEST, uuid7()):
        assert await DB.fetch("SELECT * FROM room") == []
        assert await DB.fetch("SELECT * FROM guest") == []


@pytest.mark.promise("A3")
async def test_deployment_tables_are_reached_through_named_functions_only(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("INSERT INTO practice VALUES ($1, 'East')", EAST)
    await owner.close()
    for statement in ("SELECT * FROM practice", "DELETE FROM practice", "TRUNCATE practice"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for table practice"):
            await DB.execute(statement)
    assert await DB.fetchval("SELECT practice_name($1)", EAST) == "East"


async def test_the_scope_cannot_change_inside_a_transaction(database: Database) -> None:
    with acting(EAST):
        async with DB.transaction():
            with acting(EAST):
                await insert_note(EAST)
            with pytest.raises(ScopeError, match="can't change inside a transaction"), acting(WEST):
                pytest.fail("entered")
            with DB.outside(), acting(WEST):
                assert await DB.fetchval("SELECT app_practice()") == WEST
        assert await DB.fetchval("SELECT app_practice()") == EAST


def test_a_scope_takes_only_uuids() -> None:
    from bedside_core.database import Scope

    with pytest.raises(TypeError), acting("'; DROP TABLE note; --"):  # pyright: ignore[reportArgumentType]
        pytest.fail("entered")
    assert Scope(EAST, None).settings() == f"SET app.practice_id = '{EAST.hex}'; SET app.person_id = ''"


# Piccolo and types.


async def test_piccolo_queries_run_in_the_scope_and_the_transaction(database: Database) -> None:
    with acting(EAST):
        with pytest.raises(ZeroDivisionError):
            async with DB.transaction():
                await Note(practice_id=EAST, body="undone").save()
                raise ZeroDivisionError
        await Note(practice_id=EAST, body="kept", data={"a": [1, None, "x"]}).save()
        note = await Note.objects().where(Note.body == "kept").first()
        assert note is not None
        assert note.data == {"a": [1, None, "x"]}
        note.data = {"b": 2}
        await note.save()
        assert await Note.select(Note.body, Note.data) == [{"body": "kept", "data": {"b": 2}}]
        assert await Note.select(Note.data.arrow("b").as_alias("b")) == [{"b": 2}]
        await Note.update({Note.data: {"c": "it's"}}, force=True)
        assert await DB.fetchval("SELECT data FROM note") == {"c": "it's"}
        async with await Note.select(Note.body).batch(batch_size=1) as batch:
            assert [rows async for rows in batch] == [[{"body": "kept"}]]
    assert await Note.count() == 0


async def test_json_goes_in_as_objects_or_text_and_comes_out_as_objects(database: Database) -> None:
    assert await DB.fetchval("SELECT $1::jsonb", {"a": [1.5, True, None]}) == {"a": [1.5, True, None]}
    assert await DB.fetchval("SELECT $1::jsonb", '{"a": 1}') == {"a": 1}
    assert await DB.fetchval("SELECT $1::json", [1, 2]) == [1, 2]


async def test_the_statements_of_an_operation_are_counted_without_those_of_scope_and_transaction(
    database: Database,
) -> None:
    with acting(EAST), statements() as ran:
        await DB.fetch("SELECT 1")
        async with DB.transaction():
            await DB.execute("SELECT 2")
            async with DB.savepoint():
                await Note.count()
    assert ran[:2] == ["SELECT 1", "SELECT 2"]
    assert len(ran) == 3
    assert "note" in ran[2]
