"""asyncpg, and in types what it gives back and takes, for it ships none of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import asyncpg as _asyncpg  # pyright: ignore[reportMissingTypeStubs]

asyncpg: Any = _asyncpg
"""The driver, for this package."""

Row = Mapping[str, Any]
"""One row by column name. uuid, datetime, Decimal and decoded jsonb come as Python objects, enums as str."""


class Connection(Protocol):
    """Runs SQL with `$1` parameters; the connection of a transaction and a pooled one look alike."""

    async def fetch(self, query: str, *args: object) -> list[Row]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        """Return the first row, or None."""
        ...

    async def fetchval(self, query: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        ...

    async def execute(self, query: str, *args: object) -> str:
        """Return the command tag, such as `UPDATE 1`. Several statements are possible where there are no parameters."""
        ...

    async def executemany(self, query: str, args: Iterable[Sequence[object]]) -> None:
        """Run one statement for each tuple of parameters, all or none."""
        ...


class DedicatedConnection(Connection, Protocol):
    """A connection outside the pool, for those who wait on it (`LISTEN`) or must be the owner."""

    async def add_listener(self, channel: str, callback: Callable[[Any, int, str, str], object]) -> None:
        """Call `callback(connection, pid, channel, payload)` for each notification."""
        ...

    async def remove_listener(self, channel: str, callback: Callable[[Any, int, str, str], object]) -> None:
        """Stop calling."""
        ...

    def add_termination_listener(self, callback: Callable[[Any], object]) -> None:
        """Call `callback(connection)` once when the connection ends, for whatever reason."""
        ...

    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        ...

    def terminate(self) -> None:
        """End the connection at once, without a word to the server."""
        ...

    async def close(self, *, timeout: float | None = None) -> None:
        """End the connection; after `timeout` seconds without ceremony."""
        ...
