"""Fixtures for tests that need a real PostgreSQL: a server for the session, a fresh, migrated database for each test.

A pytest plugin that installs itself: `database` is there for plugin authors too; `database_apps` says whose tables it
has. `statements()` counts what an operation costs, `until()` waits for a condition, `check_plugin()` tells what is
wrong with a plugin.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # without it there are no asynchronous tests either
    from pytest import fixture as async_fixture

if TYPE_CHECKING:
    from bedside_core.checks import check_plugin as check_plugin
    from bedside_core.database import EmbeddedServer

# Imports of bedside_core are inside the fixtures: this module is loaded by every pytest run in the environment.

_QUICK = {
    "fsync": "off",
    "jit": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "300",
}
_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SELECT pg_advisory_unlock_all(); CLOSE ALL")

_PREFIX = "bedside-test-"

_BESIDE = (
    "typeinfo_tree",
    "current_setting('jit')",
    "_positions(",
    "clock_position()",
    "clock_offset_seconds()",
    "audit_unsealed",
    "audit_seal",
    "audit_practices()",
    "pg_try_advisory_xact_lock(",
    "auth_seen(",
)
"""What no operation asks for: asyncpg about types it has not met, the look at live positions and at
the clock, the audit's sealer, and the note that somebody is there, which is made once in ten seconds."""

_recorders: list[list[str]] = []


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    name: str
    dsn: str
    """URL as the application's role."""
    owner_dsn: str
    """URL as the owner of the tables, whom row-level security does not bind."""


class Templates:
    """Migrated databases to copy, one for each set of apps."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self._names: dict[tuple[str, ...], str] = {}
        self._numbers = itertools.count()

    async def name(self, core: str, apps: tuple[str, ...]) -> str:
        """Return the name of the template with the tables of these apps, made on first use."""
        from bedside_core.database import migrate, prepare_roles

        key = (core, *apps)
        if key not in self._names:
            name = f"template_{next(self._numbers)}"
            await self.server.create_database(name)
            await prepare_roles(self.server.owner_dsn(name), self.server.application_dsn(name))
            migrated = await migrate(self.server.owner_dsn(name), apps, core=core)
            if migrated.failed:
                raise AssertionError(f"migrations failed: {dict(migrated.failed)}")
            self._names[key] = name
        return self._names[key]

    def fresh_name(self) -> str:
        """Return a name for a new database."""
        return f"test_{next(self._numbers)}"


@pytest.fixture(scope="session")
def postgres_server() -> Generator[EmbeddedServer]:
    """Run a private PostgreSQL for the session, without care for crashes of the machine."""
    from bedside_core.database import EmbeddedServer, Engine

    Engine.on_statement = _note
    base = _quickest_folder()
    sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    server = asyncio.run(EmbeddedServer.start(folder, settings=_QUICK))
    yield server
    asyncio.run(server.stop())
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database_templates(postgres_server: EmbeddedServer) -> Templates:
    """Keep the migrated databases of the session."""
    return Templates(postgres_server)


@pytest.fixture(scope="session")
def database_core() -> str:
    """Import path of core's own app."""
    from bedside_core.database.migrate import CORE

    return CORE


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    """Import paths of the `piccolo_app` modules of plugins whose tables are needed; override it beside your tests."""
    return ()


@async_fixture
async def fresh_database(
    database_templates: Templates, database_core: str, database_apps: tuple[str, ...]
) -> AsyncGenerator[Database]:
    """Give a migrated, empty database, for tests whose servers are processes of their own."""
    server = database_templates.server
    template = await database_templates.name(database_core, database_apps)
    name = database_templates.fresh_name()
    await server.create_database(name, template=template)
    yield Database(name, server.application_dsn(name), server.owner_dsn(name))
    await server.drop_database(name)


@async_fixture
async def database(fresh_database: Database) -> AsyncGenerator[Database]:
    """Give a migrated, empty database with `DB` open on it as the application's role."""
    from bedside_core.database import DB

    await DB.open(fresh_database.dsn, max_size=10)
    yield fresh_database
    await DB.close()


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 10.0) -> None:
    """Wait until a condition holds.

    Args:
        condition: looked at every few milliseconds.
        what: what is waited for, for the message.
        seconds: how long at most.

    Raises:
        AssertionError: it did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        await asyncio.sleep(0.005)


@contextmanager
def statements() -> Generator[list[str]]:
    """Record the SQL that `DB` runs in the block, without that of transactions, scopes, the live poll and sign-outs.

    Yields:
        The statements, in order: `assert len(ran) == 3` is an assertion on an operation's cost.
    """
    ran: list[str] = []
    _recorders.append(ran)
    try:
        yield ran
    finally:
        _recorders.remove(ran)


def _quickest_folder() -> Path:
    """Return memory where there is plenty of it: a copy of a database costs 10 ms there, on a busy disk 100."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    plenty = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    return memory if plenty else Path(tempfile.gettempdir())


def sweep(base: Path) -> None:
    """Stop and remove the servers of test runs that were killed an hour ago or more.

    Args:
        base: the folder that the servers' folders are in.
    """
    from bedside_core.database import EmbeddedServer, ServerFailed

    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError, ServerFailed):  # somebody else's, or gone already
            if folder.stat().st_mtime < time.time() - 3600:
                server = asyncio.run(EmbeddedServer.start(folder, settings=_QUICK))
                if asyncio.run(server.stop()):
                    shutil.rmtree(folder)


def _note(statement: Any) -> None:
    query: str = statement.query
    if _recorders and not query.startswith(_CONTROL) and not any(mark in query for mark in _BESIDE):
        for ran in _recorders:
            ran.append(query)


def __getattr__(name: str) -> Any:
    """Import what `bedside plugins check` does when a test asks for it, and not in every pytest run."""
    if name == "check_plugin":
        from bedside_core.checks import check_plugin

        return check_plugin
    raise AttributeError(name)
