"""Migrations: each app all or nothing, once however many start, and no table that lets rows across."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from importlib import import_module
from pathlib import Path

import asyncpg
import pytest

from bedside_core import piccolo_conf
from bedside_core.database import (
    DB,
    Connection,
    MigrationRefused,
    acting,
    migrate,
    pending,
    prepare_roles,
)
from bedside_core.ids import uuid7
from bedside_core.testing import Database, Templates

WARD, ROUNDS = "ward.piccolo_app", "rounds.piccolo_app"
FIRST, SECOND = "ward_2026_11_22t00_00", "rounds_2026_11_22t00_00"


@pytest.fixture
async def empty(database_templates: Templates) -> AsyncGenerator[Database]:
    """A database with roles and no table."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name)
    await prepare_roles(server.owner_dsn(name), server.application_dsn(name))
    yield Database(name, server.application_dsn(name), server.owner_dsn(name))
    await server.drop_database(name)


@pytest.fixture
async def owner(empty: Database) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty.owner_dsn)
    yield connection
    await connection.close()


WriteApp = Callable[..., str]


@pytest.fixture
def write_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteApp]:
    """A function that writes an app with one migration of given SQL, and returns its module's path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written: list[str] = []

    def write(name: str, *sql: str, kinds: str = "{}", file: str = "", id: str = "", package: str = "") -> str:
        package = package or name
        id = id or f"{name}_2026_11_22t00_00"
        folder = tmp_path / package / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        for init in (folder, folder.parent):
            (init / "__init__.py").write_text("")
        (folder.parent / "piccolo_app.py").write_text(
            "from pathlib import Path\nfrom piccolo.conf.apps import AppConfig\n"
            f"APP_CONFIG = AppConfig({name!r}, Path(__file__).parent / 'migrations')\n"
        )
        (folder.parent / "tables.py").write_text(
            f"from bedside_core.database import Kind\nTABLE_KINDS = {{n: Kind(k) for n, k in {kinds}.items()}}\n"
        )
        (folder / f"{file or id}.py").write_text(
            f"from bedside_core.database import sql_migration, practice_table\nID = {id!r}\n"
            f"async def forwards():\n    return sql_migration({name!r}, ID, '', {list(sql)!r})\n"
        )
        written.append(package)
        return f"{package}.piccolo_app"

    yield write
    for module in [name for name in sys.modules if name.partition(".")[0] in written]:
        del sys.modules[module]
    piccolo_conf.register_apps([])


async def tables(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    return {row["relname"] for row in rows}


WARD_TABLES = {"migration", "practice", "note", "label", "room", "guest"}
PRACTICE_TABLE = (
    "CREATE TABLE {0} (id uuid PRIMARY KEY, practice_id uuid NOT NULL)",
    "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY practice ON {0} TO bedside_application USING (practice_id = (SELECT app_practice())) "
    "WITH CHECK (practice_id = (SELECT app_practice()))",
    "GRANT SELECT, INSERT ON {0} TO bedside_application",
)


def practice_table_sql(name: str) -> list[str]:
    return [statement.format(name) for statement in PRACTICE_TABLE]


async def test_core_comes_first_then_the_plugins_and_a_second_time_nothing(empty: Database, owner: Connection) -> None:
    assert await pending(empty.dsn, [ROUNDS], core=WARD) == [FIRST, SECOND]
    done = await migrate(empty.owner_dsn, [ROUNDS], core=WARD)
    assert list(done.applied.items()) == [(WARD, (FIRST,)), (ROUNDS, (SECOND,))]
    assert done.failed == {}
    assert await tables(owner) == WARD_TABLES | {"round"}
    assert await pending(empty.dsn, [ROUNDS], core=WARD) == []  # asked as the application's role

    again = await migrate(empty.owner_dsn, [ROUNDS], core=WARD)
    assert again.applied == {WARD: (), ROUNDS: ()}
    rows = await owner.fetch("SELECT app_name, name FROM migration ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("ward", FIRST), ("rounds", SECOND)]
    assert [config.app_name for config in piccolo_conf.APP_REGISTRY.app_configs.values()] == ["ward", "rounds"]


async def test_two_starters_migrate_once(empty: Database, owner: Connection) -> None:
    starts = await asyncio.gather(*(migrate(empty.owner_dsn, [ROUNDS], core=WARD) for _ in range(4)))
    applied = sorted(name for done in starts for names in done.applied.values() for name in names)
    assert applied == [SECOND, FIRST]
    assert [done.failed for done in starts] == [{}] * 4
    assert await owner.fetchval("SELECT count(*) FROM migration") == 2


async def test_two_processes_migrate_once(empty: Database, owner: Connection) -> None:
    code = (
        "import asyncio, sys; sys.path.append(sys.argv[2]); from bedside_core.database import migrate; "
        f"print(sum(map(len, asyncio.run(migrate(sys.argv[1], [{ROUNDS!r}], core={WARD!r})).applied.values())))"
    )
    apps = str(Path(__file__).parent / "apps")

    async def start() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, empty.owner_dsn, apps, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        assert process.returncode == 0
        return int(told)

    assert sum(await asyncio.gather(start(), start())) == 2
    assert await owner.fetchval("SELECT count(*) FROM migration") == 2


async def test_a_failing_plugin_leaves_nothing_half_done_and_the_others_are_applied(
    empty: Database, owner: Connection, write_app: WriteApp
) -> None:
    bad = write_app(
        "bad", *practice_table_sql("left_over"), "INSERT INTO nowhere VALUES (1)", kinds="{'left_over': 'practice'}"
    )
    done = await migrate(empty.owner_dsn, [bad, ROUNDS], core=WARD)
    assert done.failed == {bad: 'UndefinedTableError: relation "nowhere" does not exist'}
    assert done.applied == {WARD: (FIRST,), ROUNDS: (SECOND,)}
    assert await tables(owner) == WARD_TABLES | {"round"}
    assert await pending(empty.dsn, [bad], core=WARD) == ["bad_2026_11_22t00_00"]
    assert [config.app_name for config in piccolo_conf.APP_REGISTRY.app_configs.values()] == ["ward", "rounds"]


async def test_a_failing_core_is_raised_and_leaves_nothing_half_done(
    empty: Database, owner: Connection, write_app: WriteApp
) -> None:
    core = write_app("heart", *practice_table_sql("left_over"), "SELECT 1/0", kinds="{'left_over': 'practice'}")
    with pytest.raises(MigrationRefused, match="core's migrations failed: division by zero"):
        await migrate(empty.owner_dsn, [ROUNDS], core=core)
    assert await tables(owner) == {"migration"}
    assert await owner.fetchval("SELECT count(*) FROM migration") == 0


async def test_equal_file_names_are_refused_naming_both(
    empty: Database, owner: Connection, write_app: WriteApp
) -> None:
    one = write_app(
        "visits", *practice_table_sql("one"), kinds="{'one': 'practice'}", file="visits_more_1", id="visits_more_1"
    )
    other = write_app("visits_more", *practice_table_sql("other"), kinds="{'other': 'practice'}", id="visits_more_1")
    done = await migrate(empty.owner_dsn, [one, other, ROUNDS], core=WARD)
    assert list(done.failed) == [other]
    assert "/visits/migrations/visits_more_1.py and " in done.failed[other]
    assert "/visits_more/migrations/visits_more_1.py have the same file name" in done.failed[other]
    assert await tables(owner) == WARD_TABLES | {"one", "round"}


async def test_two_migrations_of_one_id_are_refused_for_one_would_count_as_done(
    empty: Database, owner: Connection, write_app: WriteApp
) -> None:
    app = write_app("visits", *practice_table_sql("one"), kinds="{'one': 'practice'}", file="visits_1_a", id="visits_1")
    [first] = Path(import_module(app).__file__ or "").parent.joinpath("migrations").glob("visits_1_a.py")
    first.with_name("visits_1_b.py").write_text(first.read_text())
    done = await migrate(empty.owner_dsn, [app, ROUNDS], core=WARD)
    assert done.failed == {app: "MigrationRefused: two migrations of visits have the ID 'visits_1'"}
    assert await tables(owner) == WARD_TABLES | {"round"}


async def test_two_apps_of_one_name_are_refused_naming_both(empty: Database, write_app: WriteApp) -> None:
    one = write_app("visits", *practice_table_sql("one"), kinds="{'one': 'practice'}")
    other = write_app("visits", *practice_table_sql("other"), kinds="{'other': 'practice'}", package="elsewhere")
    done = await migrate(empty.owner_dsn, [one, other], core=WARD)
    assert done.failed == {
        other: "MigrationRefused: the apps visits.piccolo_app and elsewhere.piccolo_app have the same name 'visits'"
    }


@pytest.mark.parametrize(
    ("file", "id", "reason"),
    [
        ("initial", "initial", "must be named visits_….py, so that no other plugin has the same file name"),
        ("visits_1", "visits_2", "the file's name must begin with its ID, which is 'visits_2'"),
    ],
)
async def test_a_misnamed_migration_is_refused(
    empty: Database, owner: Connection, write_app: WriteApp, file: str, id: str, reason: str
) -> None:
    app = write_app("visits", *practice_table_sql("visit"), kinds="{'visit': 'practice'}", file=file, id=id)
    done = await migrate(empty.owner_dsn, [app], core=WARD)
    assert done.failed[app].endswith(reason)
    assert await tables(owner) == WARD_TABLES


@pytest.mark.parametrize(
    ("sql", "kinds", "reason"),
    [
        (["CREATE TABLE leaky (id uuid)"], "{}", "table leaky has no declared kind"),
        (["CREATE TABLE leaky (id uuid)"], "{'leaky': 'practice'}", "table leaky has row-level security off"),
        (
            [*practice_table_sql("leaky"), "ALTER TABLE leaky ADD note uuid REFERENCES note"],
            "{'leaky': 'practice'}",
            "without practice_id",
        ),
        (["SELECT 1"], "{'leaky': 'practice'}", "table leaky is declared, but does not exist"),
    ],
)
async def test_a_plugin_whose_table_would_let_rows_across_is_refused(
    empty: Database, owner: Connection, write_app: WriteApp, sql: list[str], kinds: str, reason: str
) -> None:
    app = write_app("visits", *sql, kinds=kinds)
    done = await migrate(empty.owner_dsn, [app, ROUNDS], core=WARD)
    assert reason in done.failed[app]
    assert await tables(owner) == WARD_TABLES | {"round"}


async def test_an_app_that_cannot_be_imported_is_reported(empty: Database) -> None:
    done = await migrate(empty.owner_dsn, ["nowhere.piccolo_app", ROUNDS], core=WARD)
    assert done.failed == {"nowhere.piccolo_app": "ModuleNotFoundError: No module named 'nowhere'"}
    assert done.applied[ROUNDS] == (SECOND,)


async def test_a_second_migration_runs_alone_and_piccolos_own_kind_works_too(
    empty: Database, owner: Connection, write_app: WriteApp, tmp_path: Path
) -> None:
    app = write_app("visits", *practice_table_sql("visit"), kinds="{'visit': 'practice'}")
    assert (await migrate(empty.owner_dsn, [app], core=WARD)).applied[app] == ("visits_2026_11_22t00_00",)
    (tmp_path / "visits" / "migrations" / "visits_2026_12_01t00_00_colour.py").write_text("""
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Text

ID = "visits_2026_12_01t00_00"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="visits")
    manager.add_column(table_class_name="Visit", tablename="visit", column_name="colour", column_class=Text)
    return manager
""")
    assert await pending(empty.dsn, [app], core=WARD) == ["visits_2026_12_01t00_00"]
    assert (await migrate(empty.owner_dsn, [app], core=WARD)).applied[app] == ("visits_2026_12_01t00_00",)
    assert await owner.fetch("SELECT colour FROM visit") == []


async def test_nothing_is_printed(empty: Database, capsys: pytest.CaptureFixture[str]) -> None:
    await migrate(empty.owner_dsn, [ROUNDS], core=WARD)
    assert capsys.readouterr() == ("", "")


async def test_migrating_goes_on_while_the_application_is_connected(empty: Database) -> None:
    await migrate(empty.owner_dsn, [], core=WARD)
    await DB.open(empty.dsn)
    try:
        await migrate(empty.owner_dsn, [ROUNDS], core=WARD)
        with acting(uuid7()):
            assert await DB.fetch("SELECT * FROM round") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await DB.execute("INSERT INTO migration (name, app_name) VALUES ('x', 'y')")
    finally:
        await DB.close()
