"""The only source of time: the machine's clock plus an offset that demo and tests can set in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bedside_core.database import DB, unit
from bedside_core.live import Live, Topic

LONGEST_OFFSET = timedelta(days=36_525)

CLOCK_STREAM = UUID(int=0)
"""Id of the one stream of kind `clock`, whose position grows with each move."""


async def clock_positions(ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return the position of the one clock stream."""
    return {CLOCK_STREAM: await DB.fetchval("SELECT clock_position()")}


class Clock:
    """Tells the time of the product; every expiry, delay and schedule asks it.

    Args:
        movable: whether the offset in the database counts. False outside demo and tests, so that no row in a
            production database can move time.
    """

    def __init__(self, *, movable: bool = False) -> None:
        self._movable = movable
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC) + self._offset

    async def load(self) -> None:
        """Read the offset from the database, so that several processes agree on the time."""
        if self._movable:
            self._offset = timedelta(seconds=float(await DB.fetchval("SELECT clock_offset_seconds()")))

    @contextmanager
    def follow(self, live: Live) -> Generator[None]:
        """Take over what another process has moved, for the time of the block."""
        tasks: set[asyncio.Task[None]] = set()

        def moved(_position: int) -> None:
            task = asyncio.ensure_future(self.load())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        with live.watch(Topic("clock", CLOCK_STREAM), moved):
            yield

    async def move(self, by: timedelta) -> None:
        """Move time by a span, for every process.

        Raises:
            RuntimeError: the clock of this deployment does not move.
            ValueError: all moves together come to more than a hundred years.
        """
        if not self._movable:
            raise RuntimeError("the clock moves in the demo and in tests only")
        if abs(self._offset + by) > LONGEST_OFFSET:
            raise ValueError("the clock is moved by a hundred years at most")
        async with unit() as work:
            position = await DB.fetchval("SELECT clock_move($1)", by.total_seconds())
            work.publish(Topic("clock", CLOCK_STREAM), position)
        await self.load()
