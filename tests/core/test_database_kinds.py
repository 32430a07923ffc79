"""The kinds of tables: what the helpers make has no fault, and each fault that lets rows across is found."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from bedside_core.database import APPLICATION, DB, Connection, Kind, acting, practice_table, table_faults
from bedside_core.ids import uuid7
from bedside_core.testing import Database

TABLE_KINDS: dict[str, Kind] = importlib.import_module("ward.tables").TABLE_KINDS


@pytest.fixture(scope="session")
def database_core() -> str:
    return "ward.piccolo_app"


@pytest.fixture
async def owner(fresh_database: Database) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(fresh_database.owner_dsn)
    yield connection
    await connection.close()


async def test_tables_made_with_the_helpers_have_no_fault(owner: Connection) -> None:
    assert await table_faults(owner, TABLE_KINDS) == []


async def test_the_application_role_may_ask_too(database: Database) -> None:
    async with DB.connection() as connection:
        assert await table_faults(connection, TABLE_KINDS) == []


GOOD = "practice_id uuid NOT NULL, id uuid PRIMARY KEY"
RULE = "practice_id = (SELECT app_practice())"


def secured(*extra: str) -> str:
    return "; ".join((f"CREATE TABLE t ({GOOD})", *practice_table("t"), *extra))


@pytest.mark.parametrize(
    ("kind", "sql", "fault"),
    [
        (None, secured(), "table t has no declared kind: name it in TABLE_KINDS"),
        (Kind.PRACTICE, "SELECT 1", "table t is declared, but does not exist"),
        (
            Kind.PRACTICE,
            f"CREATE TABLE t (id uuid PRIMARY KEY, practice_id uuid); {'; '.join(practice_table('t'))}",
            "table t has no column practice_id uuid NOT NULL",
        ),
        (
            Kind.PRACTICE,
            "CREATE TABLE t (id uuid, practice_id text NOT NULL); ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
            f"CREATE POLICY practice ON t USING (true); GRANT SELECT ON t TO {APPLICATION}",
            "table t has no column practice_id uuid NOT NULL",
        ),
        (Kind.PRACTICE, secured("ALTER TABLE t DISABLE ROW LEVEL SECURITY"), "table t has row-level security off"),
        (
            Kind.PRACTICE,
            secured("DROP POLICY practice ON t"),
            "table t has no policy for the practice: use practice_table() or shared_table()",
        ),
        (
            Kind.PRACTICE,
            secured("DROP POLICY practice ON t", f"CREATE POLICY reads ON t FOR SELECT USING ({RULE})"),
            "table t has no policy for the practice: use practice_table() or shared_table()",
        ),
        (
            Kind.PRACTICE,
            secured("DROP POLICY practice ON t", f"CREATE POLICY loose ON t USING ({RULE}) WITH CHECK (true)"),
            "table t has a policy loose that is always true",
        ),
        (
            Kind.PRACTICE,
            secured("CREATE POLICY more ON t FOR SELECT USING (id = (SELECT app_person()))"),
            "table t is a practice table, but its policy more lets rows through by another rule",
        ),
        (
            Kind.SHARED,
            secured("CREATE POLICY all_of_it ON t USING (true)"),
            "table t has a policy all_of_it that is always true",
        ),
        (
            Kind.SHARED,
            secured("CREATE POLICY members ON t FOR SELECT USING (id IN (SELECT room_id FROM guest))"),
            "table t has a policy members that queries guest: use a definer function",
        ),
        (
            Kind.PRACTICE,
            secured(f"GRANT ALL ON t TO {APPLICATION}"),
            "table t grants REFERENCES, TRIGGER, TRUNCATE, which row-level security does not bind",
        ),
        (
            Kind.PRACTICE,
            secured("ALTER TABLE t OWNER TO bedside_app"),
            "table t is owned by bedside_app, the application's own role, which row-level security does not bind",
        ),
        (
            Kind.PRACTICE,
            secured("ALTER TABLE t ADD note_id uuid REFERENCES note"),
            "table t refers to note without practice_id in the foreign key t_note_id_fkey",
        ),
        (
            Kind.PRACTICE,
            secured("ALTER TABLE t ADD room_id uuid REFERENCES room"),
            "table t refers to room without practice_id in the foreign key t_room_id_fkey",
        ),
        (
            Kind.PRACTICE,
            secured("ALTER TABLE t ADD mrn text UNIQUE"),
            "table t tells of other practices' values: practice_id is not in the unique t_mrn_key",
        ),
        (
            Kind.DEPLOYMENT,
            f"CREATE TABLE t (id uuid); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {APPLICATION}",
            "table t is a deployment table, but the application has SELECT on it",
        ),
        (
            Kind.DEPLOYMENT,
            "CREATE TABLE t (name text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT UPDATE (name) ON t TO PUBLIC",
            "table t is a deployment table, but the application has UPDATE on it",
        ),
        (Kind.DEPLOYMENT, "CREATE TABLE t (id uuid PRIMARY KEY)", "table t has row-level security off"),
        (
            Kind.PRACTICE,
            secured("CREATE VIEW everybody AS SELECT * FROM t", f"GRANT SELECT ON everybody TO {APPLICATION}"),
            "view everybody shows every practice's rows: make it WITH (security_invoker = true)",
        ),
        (
            Kind.PRACTICE,
            secured("CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM t'"),
            "function peek() runs as its owner without a pinned search_path: use definer_function()",
        ),
        (
            Kind.PRACTICE,
            secured(
                "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
                "SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM t'"
            ),
            "function peek() runs as its owner and PUBLIC may call it: use definer_function()",
        ),
    ],
)
async def test_the_fault_is_found(owner: Connection, kind: Kind | None, sql: str, fault: str) -> None:
    await owner.execute(sql)
    kinds = TABLE_KINDS if kind is None else {**TABLE_KINDS, "t": kind}
    assert fault in await table_faults(owner, kinds)


async def test_a_view_that_asks_as_its_caller_is_no_fault(owner: Connection) -> None:
    await owner.execute(
        "CREATE VIEW own WITH (security_invoker = true) AS SELECT * FROM note; "
        f"GRANT SELECT ON own TO {APPLICATION}; CREATE VIEW hidden AS SELECT * FROM note"
    )
    assert await table_faults(owner, TABLE_KINDS) == []


async def test_a_practices_rows_are_found_by_index_and_its_id_is_asked_for_once(
    database: Database, owner: Connection
) -> None:
    await owner.execute(
        "INSERT INTO note (id, practice_id, body) SELECT gen_random_uuid(), md5((n % 500)::text)::uuid, 'x' "
        "FROM generate_series(1, 20000) n; ANALYZE note"
    )
    with acting(uuid7()):
        plan = "\n".join(row["QUERY PLAN"] for row in await DB.fetch("EXPLAIN (VERBOSE) SELECT body FROM note"))
    assert "Index Cond: (note.practice_id = (InitPlan" in plan
    assert "Seq Scan" not in plan


async def test_only_looks_at_the_tables_named(owner: Connection) -> None:
    await owner.execute("CREATE TABLE left_alone (id uuid); CREATE TABLE looked_at (id uuid)")
    told = await table_faults(owner, TABLE_KINDS, only={"looked_at", "note"})
    assert told == ["table looked_at has no declared kind: name it in TABLE_KINDS"]


async def test_a_definer_function_cannot_be_led_astray_by_its_caller(database: Database, owner: Connection) -> None:
    await owner.execute(f"GRANT TEMPORARY ON DATABASE {database.name} TO {APPLICATION}")
    await owner.execute("INSERT INTO practice VALUES ('00000000-0000-7000-8000-000000000001', 'real')")
    async with DB.connection() as connection:
        await connection.execute(
            "CREATE TEMPORARY TABLE practice (id uuid, name text); SET search_path = pg_temp, public; "
            "INSERT INTO practice VALUES ('00000000-0000-7000-8000-000000000001', 'fake')"
        )
        assert (
            await connection.fetchval("SELECT public.practice_name('00000000-0000-7000-8000-000000000001')") == "real"
        )
