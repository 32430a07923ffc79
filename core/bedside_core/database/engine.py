"""The one database engine: Piccolo's PostgreSQL engine with four defects mended, row-level security and typed SQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, ClassVar, cast
from uuid import UUID

from piccolo.engine.postgres import PostgresEngine
from piccolo.querystring import QueryString

from bedside_core.database.driver import Connection, DedicatedConnection, Row, asyncpg
from bedside_core.database.scope import Scope, current_scope, entered
from bedside_core.database.transaction import LOST, GuardedConnection, Transaction, unavailable

OLDEST_SERVER = 15
"""The oldest major version of PostgreSQL that works."""

ACQUIRE_SECONDS = 10.0
COMMAND_SECONDS = 60.0

# Everything a borrower may have left behind goes in the same round trip in which the next one's scope comes, instead of
# in one more at each release. RESET ALL leaves the role alone, so that is said apart.
_FRESH = "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; RESET ROLE; "


class OldServer(RuntimeError):
    """The server is older than what Bedside needs."""


class Engine(PostgresEngine):
    """Piccolo's engine for PostgreSQL, with a pool that tells row-level security for whom it works.

    Mended against Piccolo 1.38: a failing COMMIT gives its connection back; sibling tasks take turns on their
    transaction's connection; a task that outlives its transaction is told so; a nested `transaction()` joins the outer
    one knowingly, with `savepoint()` for undoing a part.

    Statements run on the open transaction's connection or else on a pooled one, with `$1` parameters. json and jsonb
    come back decoded; a str given for one is taken as JSON text, anything else is encoded. (Piccolo's `load_json=True`
    is therefore neither needed nor possible.)
    """

    on_statement: ClassVar[Callable[[Any], object] | None] = None
    """Called by asyncpg with each statement of the connections opened afterwards; the test fixtures set it."""

    def __init__(self) -> None:
        super().__init__(config={})
        self._dsn: str | None = None

    async def check_version(self) -> None:
        """Do nothing: there is no server yet when the engine is made; `open` looks at its version."""

    async def prep_database(self) -> None:
        """Do nothing: no extensions are needed."""

    async def open(self, dsn: str, *, min_size: int = 2, max_size: int = 10) -> None:
        """Connect.

        Args:
            dsn: URL of the database as the application role.
            min_size: connections kept open.
            max_size: most connections open at once.

        Raises:
            OldServer: the server is older than PostgreSQL 15.
            Unavailable: there is no server.
        """
        if self.pool is not None:
            raise RuntimeError("the database is open already")
        self._dsn = dsn
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min(min_size, max_size),
                max_size=max_size,
                init=self._init,
                setup=self._setup,
                reset=_keep,
                command_timeout=COMMAND_SECONDS,
                server_settings=_settings("bedside"),
            )
        except LOST as error:
            raise unavailable() from error
        try:
            async with pool.acquire() as connection:
                refuse_old_server(connection)
        except BaseException:
            pool.terminate()
            raise
        self.pool = pool

    async def close(self, seconds: float = 5.0) -> None:
        """Disconnect; whoever still holds a connection after that many seconds loses it. Does nothing when not open."""
        if self.pool is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()
        finally:
            self.pool = self._dsn = None

    @property
    def is_open(self) -> bool:
        """Whether `open` was called, and not yet `close`."""
        return self.pool is not None

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Return all rows."""
        async with self.connection() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """Return the first row, or None."""
        async with self.connection() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        async with self.connection() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Run a statement, or several without parameters, and return the command tag, such as `UPDATE 1`."""
        async with self.connection() as connection:
            return await connection.execute(sql, *args)

    async def executemany(self, sql: str, args: Iterable[Sequence[object]]) -> None:
        """Run one statement for each tuple of parameters, all or none."""
        async with self.connection() as connection:
            await connection.executemany(sql, args)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Give the open transaction's connection, or else a pooled one for the time of the block."""
        transaction = self._transaction()
        if transaction is not None:
            yield transaction.connection
            return
        raw = await self.acquire()
        try:
            yield GuardedConnection(raw)
        finally:
            await self.release(raw)

    def transaction(self, allow_nested: bool = True, *, connection: Connection | None = None) -> Transaction:
        """Return a transaction to enter with `async with`; inside another one it joins that.

        Args:
            allow_nested: whether a transaction may be open already.
            connection: run it on this dedicated connection, which stays open, instead of a pooled one.

        Raises:
            TransactionOver: the present task was started inside a transaction that has ended.
        """
        return Transaction(self, allow_nested=allow_nested, connection=connection)

    def transaction_exists(self) -> bool:
        """Whether the present task is inside a transaction that has not ended."""
        transaction = self._transaction()
        return transaction is not None and not transaction.connection.over

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo the block alone when it raises; the transaction around it goes on.

        Sibling tasks of the same transaction share the savepoint: what they do meanwhile is undone with it.

        Raises:
            RuntimeError: no transaction is open.
        """
        transaction = self._transaction()
        if transaction is None:
            raise RuntimeError("a savepoint needs an open transaction")
        name = f"bedside_{transaction.get_savepoint_id()}"
        await transaction.connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            await transaction.connection.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            raise
        await transaction.connection.execute(f"RELEASE SAVEPOINT {name}")

    @contextmanager
    def outside(self) -> Generator[None]:
        """Run the block, and the tasks started in it, outside of the transaction the present task is in."""
        before = self.current_transaction.get()
        self.current_transaction.set(None)
        try:
            yield
        finally:
            self.current_transaction.set(before)

    async def dedicated(self) -> DedicatedConnection:
        """Open a connection of its own, for `LISTEN`; the caller closes it. It acts for the scope of the present task.

        Raises:
            Unavailable: there is no server.
        """
        if self._dsn is None:
            raise RuntimeError("the database is not open: call DB.open() first")
        try:
            raw = await asyncpg.connect(self._dsn, timeout=ACQUIRE_SECONDS, server_settings=_settings("bedside"))
        except LOST as error:
            raise unavailable() from error
        await self._init(raw)
        await self._setup(raw)
        return cast("DedicatedConnection", raw)

    async def acquire(self) -> Any:
        """Take a connection from the pool; for this package, others use `connection()`.

        Raises:
            Unavailable: the server is away, or no connection became free in ten seconds.
        """
        if self.pool is None:
            raise RuntimeError("the database is not open: call DB.open() first")
        for last in (False, True):
            try:
                return await cast("Any", self.pool).acquire(timeout=ACQUIRE_SECONDS)
            except TimeoutError as error:
                raise unavailable() from error
            except (*LOST, asyncpg.InterfaceError) as error:
                # Nothing has run yet: a connection that died while idle may be replaced without anybody's notice.
                if last:
                    raise unavailable() from error
        raise AssertionError

    async def release(self, raw: Any) -> None:
        """Give a connection back to the pool it came from; for this package."""
        if self.pool is not None:  # else `close` has ended the connection
            with suppress(*LOST, asyncpg.PostgresError, asyncpg.InterfaceError):  # asyncpg has dropped it then
                await cast("Any", self.pool).release(raw)

    async def get_new_connection(self) -> Any:
        """Open a connection for Piccolo's `batch()`."""
        return await self.dedicated()

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        """Run a query that Piccolo has built."""
        query, args = querystring.compile_string(engine_type=self.engine_type)
        return await self.fetch(query, *args)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:
        """Run DDL that Piccolo has built."""
        return await self.fetch(ddl)

    def _transaction(self) -> Transaction | None:
        return cast("Transaction | None", self.current_transaction.get())

    async def _init(self, connection: Any) -> None:
        for name in ("json", "jsonb"):
            await connection.set_type_codec(name, schema="pg_catalog", encoder=_encode, decoder=json.loads)
        if Engine.on_statement is not None:
            connection.add_query_logger(Engine.on_statement)

    async def _setup(self, connection: Any) -> None:
        await connection.execute(_FRESH + current_scope().settings())


def _encode(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _keep(connection: Any) -> None:
    """Leave a released connection as it is; the next acquire cleans it."""


def _settings(name: str) -> dict[str, str]:
    """Return what every connection starts with, and what RESET ALL goes back to."""
    return {"application_name": name, "timezone": "UTC", "search_path": "public", "jit": "off"}


def refuse_old_server(connection: Any) -> None:
    """Raise OldServer when the server behind a connection is older than PostgreSQL 15."""
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        raise OldServer(
            f"PostgreSQL {OLDEST_SERVER} or newer is needed; this server is {version.major}.{version.minor}"
        )


async def connect(dsn: str) -> DedicatedConnection:
    """Open a connection beside `DB`, to set a database up or look at it; the caller closes it.

    Raises:
        OldServer: the server is older than PostgreSQL 15.
        Unavailable: there is no server.
    """
    try:
        raw = await asyncpg.connect(dsn, timeout=ACQUIRE_SECONDS, server_settings=_settings("bedside set-up"))
    except LOST as error:
        raise unavailable() from error
    refuse_old_server(raw)
    return cast("DedicatedConnection", raw)


DB = Engine()
"""The engine that every table and service uses."""


def acting(practice_id: UUID | None, person_id: UUID | None = None) -> AbstractContextManager[None]:
    """Act for a practice and a person: the statements of the block see their rows only.

    Args:
        practice_id: the practice whose rows are seen and written; None for no practice's.
        person_id: the person, for what is shared with them from other practices.

    Raises:
        ScopeError: the scope would change inside an open transaction.
        TypeError: an id is no UUID.
    """
    for id in (practice_id, person_id):
        if id is not None and not isinstance(id, UUID):  # pyright: ignore[reportUnnecessaryIsInstance] - it becomes SQL
            raise TypeError(f"a scope takes UUIDs, not {type(id).__name__}")
    return entered(Scope(practice_id, person_id), DB.transaction_exists)
