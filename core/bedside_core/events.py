"""What has happened, told after the commit to whoever wants to hear it.

Commands raise, events do not: a listener that raises, hangs or blocks harms neither the emitter nor the others. A
durable listener gets its event as a job written in the emitter's transaction, so that a crash loses none.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import msgspec
import structlog

from bedside_core import audit
from bedside_core.database import acting
from bedside_core.guard import guarded

if TYPE_CHECKING:
    from bedside_core.jobs import JobRun

log = structlog.get_logger("bedside.events")

QUEUE = 1000
"""Most events one best-effort listener may have waiting; beyond it the oldest are dropped and counted."""
FAILURES_BEFORE_PAUSE = 5
LONGEST_PAUSE_SECONDS = 60.0


def fact(doc: str, *, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field of an event with what it says; a default is for one that came later."""
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that has happened in a practice. Subclasses are frozen dataclasses whose fields are `fact()`s."""

    practice_id: UUID = fact("The practice whose event it is.")


E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Listener:
    """One plugin's wish to hear one type of event. Made by `on()`."""

    event: type[Event]
    handler: Callable[[Any], Awaitable[None]]
    durable: bool = False


def on(event: type[E], handler: Callable[[E], Awaitable[None]], *, durable: bool = False) -> Listener:
    """Hear every event of a type, with row-level security acting for the event's practice.

    Args:
        event: the type; subclasses of it are heard too.
        handler: called with each event, after the emitter's commit.
        durable: deliver through a job in the emitter's transaction: at least once, with retries, over a crash. Due
            wherever a listener changes tables. Otherwise delivery is best effort, in this process.
    """
    return Listener(event, handler, durable)


def event_name(plugin: str, event: type[Event]) -> str:
    """Return the name under which a durable listener's jobs are queued."""
    return f"listener.{plugin}.{event.__name__}"


@dataclass
class _Line:
    """One best-effort listener with its queue, so that a slow one delays nobody else."""

    plugin: str
    listener: Listener
    queue: asyncio.Queue[Event]
    dropped: int = 0
    failures: int = 0


class Events:
    """Delivers events to the listeners of active plugins.

    Args:
        listeners: plugin name and listener, in plugin order.
        seconds: longest time one delivery may take.
    """

    def __init__(self, listeners: Iterable[tuple[str, Listener]], seconds: float) -> None:
        self._seconds = seconds
        self._lines: list[_Line] = []
        self._durable: list[tuple[str, Listener]] = []
        for plugin, listener in listeners:
            if listener.durable:
                self._durable.append((plugin, listener))
            else:
                self._lines.append(_Line(plugin, listener, asyncio.Queue(QUEUE)))
        self.faults: dict[str, int] = defaultdict(int)
        """Failed deliveries by plugin, for /health/ready."""

    def durable_jobs(self) -> list[tuple[str, str, Callable[[JobRun], Awaitable[None]]]]:
        """Return (plugin, job name, function) of each durable listener, for the job queue."""

        def job(listener: Listener) -> Callable[[JobRun], Awaitable[None]]:
            async def run(run: JobRun) -> None:
                await listener.handler(decode(listener.event, run.payload))

            return run

        return [(plugin, event_name(plugin, item.event), job(item)) for plugin, item in self._durable]

    def durable_for(self, event: Event) -> Sequence[str]:
        """Return the names of the jobs that this event means."""
        return [event_name(plugin, item.event) for plugin, item in self._durable if isinstance(event, item.event)]

    def deliver(self, events: Iterable[Event]) -> None:
        """Hand committed events to the best-effort listeners; returns at once."""
        for event in events:
            for line in self._lines:
                if isinstance(event, line.listener.event):
                    if line.queue.full():
                        line.queue.get_nowait()
                        line.queue.task_done()
                        line.dropped += 1
                        log.warning("listener too slow, event dropped", plugin=line.plugin, kind=type(event).__name__)
                    line.queue.put_nowait(event)

    async def settled(self) -> None:
        """Wait until every delivered event has been handled."""
        await asyncio.gather(*(line.queue.join() for line in self._lines))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve the listeners while the platform runs."""
        tasks = [asyncio.create_task(self._serve(line), name=f"listener {line.plugin}") for line in self._lines]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, line: _Line) -> None:
        while True:
            event = await line.queue.get()
            try:
                await self._hear(line, event)
            finally:
                line.queue.task_done()
            if line.failures >= FAILURES_BEFORE_PAUSE:
                over = line.failures - FAILURES_BEFORE_PAUSE
                await asyncio.sleep(min(2.0**over, LONGEST_PAUSE_SECONDS))

    async def _hear(self, line: _Line, event: Event) -> None:
        async def handle() -> None:  # calling it may raise already
            name = event_name(line.plugin, line.listener.event)
            async with audit.operation(via=audit.Via.LISTENER, detail={"listener": name}):
                await line.listener.handler(event)

        with acting(event.practice_id):
            outcome = await guarded(handle(), self._seconds)
        if outcome.failure is None:
            line.failures = 0
            return
        line.failures += 1
        self.faults[line.plugin] += 1
        log.error(
            "listener failed",
            plugin=line.plugin,
            kind=type(event).__name__,
            practice=str(event.practice_id),
            failure=str(outcome.failure),
        )


def encode(event: Event) -> dict[str, Any]:
    """Return an event as JSON values, for a job's payload."""
    return msgspec.to_builtins(event)


def decode(kind: type[E], payload: Mapping[str, Any]) -> E:
    """Return the event from a job's payload."""
    return msgspec.convert(payload, kind)
