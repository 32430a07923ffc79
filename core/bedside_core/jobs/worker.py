"""Runs the queue's jobs, each contained: whatever one does, the others run, and none is lost or run for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import msgspec
import structlog
from pgqueuer import QueueManager, RetryRequested
from pgqueuer.models import Job as Row

from bedside_core import access, audit
from bedside_core.database import DB, QUEUE, acting
from bedside_core.guard import GRACE_SECONDS, guarded
from bedside_core.jobs.attempts import Attempts
from bedside_core.jobs.declared import JobRun, Wake
from bedside_core.jobs.library import manager_on
from bedside_core.jobs.queue import Entry, Pace, WorkerState
from bedside_core.jobs.schedules import Schedules
from bedside_core.watching import span

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.jobs")

COMMAND_SECONDS = 60.0
RESTART_SECONDS = 1.0
TIDY_SECONDS = 3600.0
KEPT_DAYS = 7
"""How long pgqueuer's log of what became of each job is kept."""
BATCH = 5


class Spent(Exception):
    """A job is held. pgqueuer writes down its text, so that is kind and place of the failure only."""


class Worker:
    """Runs jobs until told to stop.

    Args:
        platform: what jobs are given.
        entries: the jobs by full name; others are left in the queue, for a process that has their plugin.
        pace: how patient it is.
        faults: failed runs by plugin, counted up.
        wakes: called every second, to enqueue what has become due.
    """

    def __init__(
        self,
        platform: Platform,
        entries: Mapping[str, Entry],
        pace: Pace,
        faults: dict[str, int],
        wakes: Sequence[Wake] = (),
    ) -> None:
        self._platform = platform
        self._entries = entries
        self._pace = pace
        self._faults = faults
        self._wakes = wakes
        crons = {entry.name: entry.schedule for entry in entries.values() if entry.schedule}
        self._schedules = Schedules(crons, platform.clock)
        self._active: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._manager: QueueManager | None = None
        self.state = WorkerState.RUNNING

    @asynccontextmanager
    async def running(self, dsn: str) -> AsyncGenerator[None]:
        """Serve the queue during the block."""
        pool = await asyncpg.create_pool(  # pyright: ignore[reportUnknownMemberType]
            dsn,
            min_size=1,
            max_size=4,
            init=_as_queue,
            command_timeout=COMMAND_SECONDS,
            server_settings={"application_name": "bedside worker"},
        )
        self._attempts = Attempts(pool)
        with DB.outside():
            serving = asyncio.create_task(self._serve(pool), name="job worker")
            ticking = asyncio.create_task(self._tick(pool), name="job schedules")
        try:
            yield
        finally:
            ticking.cancel()
            await self._stop(serving)
            await asyncio.gather(ticking, serving, return_exceptions=True)
            await _close(pool)

    async def _stop(self, serving: asyncio.Task[None]) -> None:
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()
        await asyncio.wait({serving}, timeout=self._pace.drain)
        for task in self._active:
            task.cancel()
        await asyncio.wait({serving}, timeout=2 * GRACE_SECONDS)
        serving.cancel()

    async def _serve(self, pool: Any) -> None:
        pace = self._pace
        while not self._stopping.is_set():
            manager = self._manager = manager_on(pool)
            for entry in self._entries.values():
                manager.entrypoint(entry.name, concurrency_limit=pace.at_once_per_job, on_failure="hold")(
                    partial(self._run, entry)
                )
            try:
                self.state = WorkerState.RUNNING
                await manager.run(
                    dequeue_timeout=timedelta(seconds=min(pace.poll, pace.heartbeat)),
                    batch_size=BATCH,
                    max_concurrent_tasks=pace.at_once,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=timedelta(seconds=pace.heartbeat),
                    log_aggregation_interval=timedelta(0),
                )
            except Exception as error:
                self.state = WorkerState.RESTARTING
                log.warning("the job worker starts again", failure=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RESTART_SECONDS)

    async def _tick(self, pool: Any) -> None:
        """Look at the schedules, and throw away old log rows now and then."""
        registered, tidied = False, -TIDY_SECONDS
        while True:
            try:
                await self._platform.clock.load()
                if not registered:
                    await self._schedules.register(pool)
                    registered = True
                await self._schedules.scan(pool)
                for wake in self._wakes:
                    await wake(pool, self._platform.clock.now())
                if time.monotonic() - tidied > TIDY_SECONDS:
                    tidied = time.monotonic()
                    await pool.execute(f"DELETE FROM pgqueuer_log WHERE created < now() - interval '{KEPT_DAYS} days'")
            except Exception as error:
                log.warning("schedules could not be looked at", failure=type(error).__name__)
            await asyncio.sleep(self._pace.scan)

    # -- one job ---------------------------------------------------------------------------------------------------

    async def _run(self, entry: Entry, row: Row) -> None:
        """Run a job that was picked up; how this ends tells pgqueuer what becomes of it.

        Raises:
            RetryRequested: it goes back to the queue.
            Spent: it is held.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("jobs run in tasks")
        self._active.add(task)
        try:
            await self._attempt(entry, row)
        except asyncio.CancelledError:
            # pgqueuer would delete a job that ends so. Nobody cancels jobs here but a worker that stops.
            task.uncancel()
            with suppress(Exception):
                await self._attempts.take_back(row.id)
            raise RetryRequested(timedelta(0), "the worker stopped") from None
        except (RetryRequested, Spent):
            raise
        except Exception as error:  # of the bookkeeping: the database is away
            raise RetryRequested(self._pause(row, 1), type(error).__name__) from None
        finally:
            self._active.discard(task)

    async def _attempt(self, entry: Entry, row: Row) -> None:
        start = await self._attempts.begin(row.id)
        practice_id = UUID(str((row.headers or {})["practice"]))
        if start.interrupted:
            await self._failed(entry, row, practice_id, start.number, "its worker ended while it ran")
        with acting(practice_id), span(f"job {entry.name}", {"bedside.job": entry.name}):
            outcome = await guarded(self._call(entry, row, practice_id, start.number), self._pace.run)
        if outcome.failure is not None:
            await self._failed(entry, row, practice_id, start.number, str(outcome.failure))
        self._platform.figures.job(entry.name, "done")

    async def _call(self, entry: Entry, row: Row, practice_id: UUID, attempt: int) -> None:
        with access.operation():
            if entry.feature is not None and await self._platform.access.lacks(practice_id, entry.feature):
                log.info("job not in the practice's plan", job=entry.name, practice=str(practice_id))
                return
            payload = msgspec.json.decode(row.payload or b"{}")
            async with audit.operation(via=audit.Via.JOB, detail={"job": entry.name}):
                await entry.function(
                    JobRun(platform=self._platform, practice_id=practice_id, payload=payload, attempt=attempt)
                )

    async def _failed(self, entry: Entry, row: Row, practice_id: UUID, attempt: int, reason: str) -> None:
        self._faults[entry.plugin] = self._faults.get(entry.plugin, 0) + 1
        spent = attempt > entry.retries
        self._platform.figures.job(entry.name, "held" if spent else "again")
        log.error(
            "job held" if spent else "job failed",
            plugin=entry.plugin,
            job=entry.name,
            practice=str(practice_id),
            attempt=attempt,
            failure=reason,
        )
        await self._attempts.end(row.id, reason)
        if spent:
            raise Spent(reason)
        raise RetryRequested(self._pause(row, attempt), reason)

    def _pause(self, row: Row, attempt: int) -> timedelta:
        """Return how long a job waits; spread, so that those that met in a worker that ended part ways."""
        spread = 1 + row.id % 8 / 8
        return timedelta(seconds=min(self._pace.backoff * 2 ** (attempt - 1), self._pace.longest_backoff) * spread)


async def _as_queue(connection: Any) -> None:
    await connection.execute(f"SET ROLE {QUEUE}")  # neither RESET ALL nor the pool's reset takes it back


async def _close(pool: Any) -> None:
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            await pool.close()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()
