"""A transaction that gives its connection back whatever happens, and lets sibling tasks share it in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast

from piccolo.engine.postgres import PostgresTransaction

from bedside_core.database.driver import Connection, Row, asyncpg
from bedside_core.errors import Unavailable
from bedside_core.watching.tracing import statement

if TYPE_CHECKING:
    from bedside_core.database.engine import Engine

LOST: tuple[type[BaseException], ...] = (
    OSError,  # includes TimeoutError: the statement ran into the pool's command_timeout
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # the server's farewell arrived between two statements
)
"""What asyncpg raises when the server is away, restarting or full."""


class TransactionOver(RuntimeError):
    """A task used the transaction it was started in after that had ended."""

    def __init__(self) -> None:
        super().__init__(
            "this task was started inside a transaction that has ended meanwhile; await it before the transaction "
            "ends, or start it in `with DB.outside():` so that it has connections of its own"
        )


class TransactionAborted(RuntimeError):
    """A statement had failed and its exception was caught, so that PostgreSQL turned the COMMIT into a ROLLBACK."""

    def __init__(self) -> None:
        super().__init__(
            "the transaction was rolled back, because a statement in it had failed and the exception was caught; "
            "put statements that may fail into `async with DB.savepoint():`"
        )


def unavailable() -> Unavailable:
    """Return what is told when the database is away."""
    return Unavailable("The database is away for the moment.", way_on="Try again in a few seconds.")


class _Reported:
    """Turns a lost connection into the coded, retryable problem that clients know."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        # InterfaceError is asyncpg's word for wrong use too; only on a closed connection does it mean a lost one.
        gone = _is_gone(self._raw)
        if isinstance(error, LOST) or (gone and isinstance(error, asyncpg.InterfaceError)):
            if not gone and not isinstance(error, TimeoutError):
                self._raw.terminate()
            raise unavailable() from error


def _is_gone(raw: Any) -> bool:
    try:
        return raw.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken its handle back, as it does when the connection ends
        return True


class GuardedConnection:
    """One statement at a time on a connection, and none after its end.

    Tasks copy the context variable of the transaction they are started in. Sibling GraphQL resolvers would otherwise
    get asyncpg's "another operation is in progress", and stragglers a connection that is somebody else's by now.
    """

    def __init__(self, raw: Any) -> None:
        self._raw: Any = raw
        self._turn = asyncio.Lock()
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the connection has been given back."""
        return self._over

    def check(self) -> None:
        """Raise TransactionOver when the connection has been given back."""
        if self._over:
            raise TransactionOver

    async def fetch(self, query: str, *args: object) -> list[Row]:
        """Return all rows."""
        async with self._turn:
            self.check()
            with _Reported(self._raw), statement(query):
                return await self._raw.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        """Return the first row, or None."""
        async with self._turn:
            self.check()
            with _Reported(self._raw), statement(query):
                return await self._raw.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        async with self._turn:
            self.check()
            with _Reported(self._raw), statement(query):
                return await self._raw.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """Return the command tag, such as `UPDATE 1`."""
        async with self._turn:
            self.check()
            with _Reported(self._raw), statement(query):
                return await self._raw.execute(query, *args)

    async def executemany(self, query: str, args: Iterable[Sequence[object]]) -> None:
        """Run one statement for each tuple of parameters, all or none."""
        async with self._turn:
            self.check()
            with _Reported(self._raw), statement(query):
                await self._raw.executemany(query, args)

    async def end(self, query: str) -> str:
        """Run the last statement, after those of siblings that already wait; nothing runs afterwards."""
        async with self._turn:
            self.check()
            try:
                with _Reported(self._raw):
                    return await self._raw.execute(query)
            finally:
                self._over = True


class Transaction(PostgresTransaction):
    """A transaction; inside another one it joins that, and the outermost commits (`DB.savepoint()` undoes a part).

    Args:
        engine: whose pool gives the connection.
        allow_nested: whether a transaction may already be open; Piccolo raises TransactionError if not.
        connection: a dedicated connection to run on instead of a pooled one; it is not closed.

    Raises:
        TransactionOver: the present task was started inside a transaction that has ended.
    """

    connection: GuardedConnection

    def __init__(self, engine: Engine, *, allow_nested: bool = True, connection: Connection | None = None) -> None:
        around = cast("Transaction | None", engine.current_transaction.get())
        if around is not None:
            around.connection.check()
        super().__init__(engine=engine, allow_nested=allow_nested)
        self._engine = engine
        self._own: Connection | None = connection
        self._raw: Any = None

    @property
    def committed(self) -> bool:
        """Whether the transaction was committed."""
        return self._committed

    async def __aenter__(self) -> Transaction:
        if self._parent is not None:
            return cast("Transaction", self._parent)
        self._raw = self._own or await self._engine.acquire()
        try:
            self.connection = GuardedConnection(self._raw)
            await self.connection.execute("BEGIN")
        except BaseException:
            await self._give_back()
            raise
        self._engine.current_transaction.set(self)
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:  # a plain bool would mean to type checkers that it may swallow exceptions
        if self._parent is not None:
            return False
        # A task of its own: a COMMIT that is cancelled half-way would leave unknown whether it happened.
        finishing = asyncio.ensure_future(self._finish(commit=exception is None))
        try:
            await to_the_end(finishing)
        finally:
            self._engine.current_transaction.set(None)
        return False

    async def commit(self) -> None:
        """Commit now; no statement can follow.

        Raises:
            TransactionAborted: a statement had failed before, so that there is nothing to commit.
            Unavailable: the connection was lost, and it is unknown whether the commit happened.
        """
        try:
            tag = await self.connection.end("COMMIT")
        except BaseException:
            self._rolled_back = True
            raise
        if tag != "COMMIT":
            self._rolled_back = True
            raise TransactionAborted
        self._committed = True

    async def rollback(self) -> None:
        """Undo everything now; no statement can follow."""
        self._rolled_back = True
        await self.connection.end("ROLLBACK")

    async def _finish(self, *, commit: bool) -> None:
        try:
            if self._committed or self._rolled_back:
                return
            if commit:
                await self.commit()
                return
            try:
                await self.rollback()
            except Exception:  # what ended the block is being told; a connection that can't roll back is dropped
                if not _is_gone(self._raw):
                    self._raw.terminate()
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        if self._own is None:
            await self._engine.release(self._raw)


async def to_the_end(finishing: asyncio.Future[None]) -> None:
    """Wait for a future even when cancelled meanwhile, and pass the cancellation on afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not finishing.done():
        try:
            await asyncio.shield(finishing)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # raised by result() below
            break
    finishing.result()
    if cancelled is not None:
        raise cancelled
