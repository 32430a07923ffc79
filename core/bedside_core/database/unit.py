"""A unit of work: rows, jobs and events of one change, all of them or none."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from bedside_core.database.driver import Connection
from bedside_core.database.engine import DB
from bedside_core.database.transaction import TransactionOver

_log = logging.getLogger(__name__)


class Announcement(NamedTuple):
    """A live topic that has reached a position."""

    topic: Any
    position: int


class Outlet(Protocol):
    """Where the events, announcements and jobs of units go; the platform sets one at start."""

    async def enqueue(self, connection: Connection, name: str, payload: Mapping[str, Any]) -> None:
        """Put a job into the queue on the unit's connection, so that it exists only if the unit is committed."""
        ...

    async def durable(self, events: Sequence[object]) -> None:
        """Enqueue the jobs of durable listeners; called before the commit, inside the transaction."""
        ...

    def after_commit(self, events: Sequence[object], announcements: Sequence[Announcement]) -> None:
        """Hand events to listeners and announcements to the live bus; must not wait."""
        ...


class Work:
    """What a unit gathers."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.announcements: list[Announcement] = []
        self.over = False
        self._steps: list[Callable[[], Awaitable[None]]] = []
        self._last: list[Callable[[], Awaitable[None]]] = []
        self._committed: list[Callable[[], None]] = []

    def emit(self, event: object) -> None:
        """Tell the event's listeners once the unit is committed; durable ones get a job in the same transaction."""
        self._check()
        self.events.append(event)

    def publish(self, topic: Any, position: int) -> None:
        """Announce once the unit is committed that a live topic has reached a position."""
        self._check()
        self.announcements.append(Announcement(topic, position))

    async def enqueue(self, job_name: str, payload: Mapping[str, Any]) -> None:
        """Put a job into the queue in the unit's transaction.

        Args:
            job_name: name of a declared job.
            payload: JSON values only.
        """
        self._check()
        async with DB.connection() as connection:
            await _present_outlet().enqueue(connection, job_name, payload)

    def at_the_end(self, step: Callable[[], Awaitable[None]], *, last: bool = False) -> None:
        """Have something done in the unit's transaction after all else; what it raises undoes the unit.

        Args:
            step: what; it may have more done.
            last: after every step that is not, for what takes locks that many units take: taken once, and in one order.
        """
        self._check()
        (self._last if last else self._steps).append(step)

    def once_committed(self, step: Callable[[], None]) -> None:
        """Have something done if the unit is committed; it must neither wait nor raise."""
        self._check()
        self._committed.append(step)

    async def finish(self) -> None:
        """Do what was to be done at the end; for this package."""
        while steps := self._steps or self._last:
            await steps.pop(0)()

    def told_committed(self) -> None:
        """Do what was to be done once it is committed; for this package."""
        for step in self._committed:
            step()

    def _check(self) -> None:
        if self.over:
            raise TransactionOver


_work: ContextVar[Work | None] = ContextVar("bedside_work", default=None)
_outlet: Outlet | None = None


def present_work() -> Work | None:
    """Return what the unit of work that the present task is in gathers; None outside of one."""
    work = _work.get()
    return work if work is not None and not work.over and DB.transaction_exists() else None


def set_outlet(outlet: Outlet | None) -> None:
    """Tell where units deliver to; None when the platform has stopped."""
    global _outlet
    _outlet = outlet


def _present_outlet() -> Outlet:
    if _outlet is None:
        raise RuntimeError("no platform is running, so there is nobody to deliver events and jobs to")
    return _outlet


@asynccontextmanager
async def unit() -> AsyncGenerator[Work]:
    """Make one change: a transaction and, after its commit, the delivery of what the block gave to `work`.

    A unit inside another one joins it: its rows are committed, and its events delivered, with the outer one's. When the
    block raises, everything is rolled back and nothing delivered.

    Raises:
        Unavailable: the connection to the database was lost; repeat with the same clientId.
        TransactionAborted: a failed statement's exception was caught inside the block.
    """
    outer = _work.get()
    if outer is not None and DB.transaction_exists():
        yield outer
        return
    work = Work()
    transaction = DB.transaction(allow_nested=False)
    try:
        async with transaction:
            _work.set(work)
            try:
                yield work
                if work.events or work.announcements:
                    await _present_outlet().durable(tuple(work.events))
                await work.finish()
            finally:
                work.over = True
                _work.set(None)
    finally:
        # Also when a cancellation arrived during the commit: what is committed is told.
        if transaction.committed:
            work.told_committed()
        if transaction.committed and (work.events or work.announcements):
            _deliver(work)


def _deliver(work: Work) -> None:
    try:
        _present_outlet().after_commit(tuple(work.events), tuple(work.announcements))
    except Exception:
        # The change is made: telling the caller of a failure would be untrue.
        _log.exception("the events of a committed unit could not be handed on")
