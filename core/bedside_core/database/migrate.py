"""Brings a database's tables up to date: core's migrations first, then each plugin's, each app all or nothing."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import AppConfig

from bedside_core import piccolo_conf
from bedside_core.database.driver import DedicatedConnection
from bedside_core.database.engine import DB, connect
from bedside_core.database.faults import table_faults
from bedside_core.database.kinds import APPLICATION, SCOPE_FUNCTIONS, Kind, deployment_table

CORE = "bedside_core.piccolo_app"
"""Import path of core's own app, whose migrations come first."""

_LOCK = 0x6265647369646500  # "bedside\0": whoever migrates this database holds it


class MigrationRefused(RuntimeError):
    """An app's migrations can't be run as they are."""


@dataclass(frozen=True)
class Migrated:
    """What `migrate` did."""

    applied: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Ids of the migrations that were run, by app."""
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why a plugin's app was left as it was, by app."""


def sql_migration(
    app_name: str, migration_id: str, description: str | None, statements: Sequence[str]
) -> MigrationManager:
    """Return a Piccolo migration that runs SQL statements as the owner of the tables.

    Args:
        app_name: the app's name, as in its `AppConfig`.
        migration_id: beginning with the app's name and an underscore; the file's name begins with it.
        description: what it does, in a sentence: the file's docstring.
        statements: SQL, run in this order.
    """
    manager = MigrationManager(migration_id=migration_id, app_name=app_name, description=description or "")

    async def run() -> None:
        for statement in statements:
            await DB.execute(statement)

    cast("Any", manager).add_raw(run)  # partly untyped in Piccolo
    return manager


@dataclass(frozen=True)
class App:
    """One app, read from its module."""

    module: str
    name: str
    files: Mapping[str, Path]
    """The migrations' files by name."""
    migrations: Mapping[str, Any]
    """The migrations' modules by ID, in order."""
    kinds: Mapping[str, Kind]


async def migrate(owner_dsn: str, apps: Sequence[str], *, core: str = CORE) -> Migrated:
    """Run the migrations that the database does not have yet. Safe for several processes at once.

    Each app runs in one transaction, at the end of which its tables are held against their declared kinds. What fails
    in a plugin's app undoes that app's part alone.

    Args:
        owner_dsn: URL as the owner of the tables.
        apps: import paths of the plugins' `piccolo_app` modules, in the order of their dependencies.
        core: import path of core's own.

    Raises:
        MigrationRefused: core's migrations can't be run, or one failed.
        Unavailable: there is no server.
    """
    owner = await connect(owner_dsn)
    try:
        await _prepare(owner)
        applied: dict[str, tuple[str, ...]] = {}
        failed: dict[str, str] = {}
        good: list[App] = []
        for module in (core, *apps):
            try:
                app = read_app(module, good)
                applied[module] = await _run(owner, app, good)
                good.append(app)
            except BaseException as error:  # a plugin's module may raise SystemExit too
                if _is_ours(error):
                    raise
                if module == core:
                    raise MigrationRefused(f"core's migrations failed: {error}") from error
                failed[module] = f"{type(error).__name__}: {error}"
    finally:
        await owner.close()
    piccolo_conf.register_apps([app.module for app in good])
    return Migrated(applied, failed)


@dataclass(frozen=True)
class Pending:
    """What a database lacks of the migrations of some apps."""

    missing: Mapping[str, tuple[str, ...]]
    """Ids of the migrations that have not been run, by app; only apps that lack any."""
    unreadable: Mapping[str, str]
    """Why a plugin's app can't be read, by app."""


async def pending_by_app(dsn: str, apps: Sequence[str], *, core: str = CORE) -> Pending:
    """Return the migrations that the database does not have yet; any role that is a member of the group may ask.

    Args:
        dsn: URL of the database.
        apps: import paths of the plugins' `piccolo_app` modules.
        core: import path of core's own.
    """
    connection = await connect(dsn)
    try:
        exists = await connection.fetchval("SELECT to_regclass('public.migration') IS NOT NULL")
        done = {
            (row["app_name"], row["name"])
            for row in (await connection.fetch("SELECT app_name, name FROM migration") if exists else ())
        }
    finally:
        await connection.close()
    read: list[App] = []
    unreadable: dict[str, str] = {}
    for module in (core, *apps):
        try:
            read.append(read_app(module, read))
        except BaseException as error:
            if _is_ours(error) or module == core:
                raise
            unreadable[module] = f"{type(error).__name__}: {error}"
    missing = {app.module: tuple(name for name in app.migrations if (app.name, name) not in done) for app in read}
    return Pending({module: names for module, names in missing.items() if names}, unreadable)


async def pending(dsn: str, apps: Sequence[str], *, core: str = CORE) -> list[str]:
    """Return the ids of migrations that the database does not have yet; see `pending_by_app`."""
    found = await pending_by_app(dsn, apps, core=core)
    return [name for names in found.missing.values() for name in names]


def _is_ours(error: BaseException) -> bool:
    """Tell whether an exception is meant for the process or the running task, and no fault of a plugin's module."""
    task = asyncio.current_task()
    cancelled = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    return cancelled or isinstance(error, KeyboardInterrupt)


async def _prepare(owner: DedicatedConnection) -> None:
    """Make what every migration needs: Piccolo's list of migrations, and the functions that policies call."""
    async with DB.transaction(allow_nested=False, connection=owner):
        await DB.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if await DB.fetchval("SELECT to_regclass('public.migration') IS NOT NULL"):
            return
        await Migration.create_table(if_not_exists=True).run()
        for statement in (
            *SCOPE_FUNCTIONS,
            *deployment_table("migration"),
            f"GRANT SELECT ON migration TO {APPLICATION}",
        ):
            await DB.execute(statement)
        await DB.execute(f"CREATE POLICY readable ON migration FOR SELECT TO {APPLICATION} USING (true)")


async def _run(owner: DedicatedConnection, app: App, before: Sequence[App]) -> tuple[str, ...]:
    async with DB.transaction(allow_nested=False, connection=owner):
        await DB.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        # Behind a lock that is long in coming, every statement on the table would queue up.
        await DB.execute("SET LOCAL lock_timeout = '30s'")
        rows = await DB.fetch("SELECT name FROM migration WHERE app_name = $1", app.name)
        done = {row["name"] for row in rows}
        new = tuple(name for name in app.migrations if name not in done)
        tables = await _tables()
        for name in new:
            manager = await app.migrations[name].forwards()
            with redirect_stdout(io.StringIO()):  # Piccolo prints its progress
                await manager.run()
            await DB.execute(
                "INSERT INTO migration (name, app_name, ran_on) VALUES ($1, $2, localtimestamp)", name, app.name
            )
        if new:
            await _check(app, before, await _tables() - tables)
    return new


async def _check(app: App, before: Sequence[App], made: set[str]) -> None:
    """Refuse an app whose tables would let one practice's rows reach another."""
    kinds = {name: kind for other in (*before, app) for name, kind in other.kinds.items()}
    async with DB.connection() as connection:
        if faults := await table_faults(connection, kinds, only={*app.kinds, *made}):
            raise MigrationRefused("; ".join(faults))


async def _tables() -> set[str]:
    rows = await DB.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    return {row["relname"] for row in rows}


def read_app(module: str, before: Sequence[App]) -> App:
    """Import an app with its migrations, and check their names against those of the apps before it.

    Args:
        module: import path of the app's module.
        before: the apps whose migrations run before.

    Raises:
        MigrationRefused: the app or a file has a name that it must not have.
    """
    config = cast("AppConfig", importlib.import_module(module).APP_CONFIG)
    folder = Path(config.migrations_folder_path)
    files = {path.stem: path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"}
    for other in before:
        if other.name == config.app_name:
            raise MigrationRefused(f"the apps {other.module} and {module} have the same name {other.name!r}")
        # Piccolo imports migrations by file name alone, and would run one of the two twice.
        for same in files.keys() & other.files.keys():
            raise MigrationRefused(f"{other.files[same]} and {files[same]} have the same file name")
    migrations: dict[str, Any] = {}
    for path in files.values():
        name, migration = _load(config.app_name, path)
        if name in migrations:  # what has run is noted by ID: the other would count as done
            raise MigrationRefused(f"two migrations of {config.app_name} have the ID {name!r}")
        migrations[name] = migration
    return App(module, config.app_name, files, migrations, _kinds(module))


def _kinds(module: str) -> Mapping[str, Kind]:
    """Return what the `tables` module beside an app declares."""
    name = f"{module.rpartition('.')[0]}.tables"
    if importlib.util.find_spec(name) is None:
        return {}
    return cast("Mapping[str, Kind]", getattr(importlib.import_module(name), "TABLE_KINDS", {}))


def _load(app: str, path: Path) -> tuple[str, Any]:
    """Import a migration under a module name of its own, and return it with its ID."""
    if not path.stem.startswith(f"{app}_"):
        raise MigrationRefused(f"{path} must be named {app}_….py, so that no other plugin has the same file name")
    spec = importlib.util.spec_from_file_location(f"bedside_migrations.{app}.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise MigrationRefused(f"{path} can't be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    name: str = getattr(module, "ID", "")
    if path.stem != name and not path.stem.startswith(f"{name}_"):
        raise MigrationRefused(f"{path}: the file's name must begin with its ID, which is {name!r}")
    return name, module
