"""The jobs of one platform: what plugins declared, how work gets into the queue, and the worker of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from bedside_core.database import DB, Connection
from bedside_core.jobs.declared import Job, JobFunction, Wake

if TYPE_CHECKING:
    from bedside_core.config import Config
    from bedside_core.jobs.worker import Worker
    from bedside_core.platform import Platform

LISTENER_RETRIES = 5


class WorkerState(StrEnum):
    """How the worker of this process fares."""

    OFF = "off"
    RUNNING = "running"
    RESTARTING = "restarting"
    """The database was away; it is tried again."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A job under its full name, whoever declared it."""

    name: str
    plugin: str
    function: JobFunction
    retries: int
    feature: str | None = None
    schedule: str | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """A job whose retries are spent; it stays until the operator has it run again.

    Args:
        id: by which `Jobs.requeue` knows it.
        name: full name of the job.
        practice_id: the practice it acts for.
        attempts: how often it was started.
        reason: kind and place of the last failure.
    """

    id: int
    name: str
    practice_id: UUID
    attempts: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How patient a worker is; all times in seconds.

    Args:
        run: longest time one run may take.
        heartbeat: a job whose worker has been silent for this long is another's.
        drain: how long running jobs may go on when the worker stops; the rest runs again elsewhere.
        poll: how often the queue is looked at without being told; notifications may get lost.
        scan: how often the schedules are looked at.
        backoff: time before the first retry; it doubles with each.
        longest_backoff: the longest of these.
        at_once: most jobs of this worker at once.
        at_once_per_job: most runs of one job at once, over all workers, so that one that hangs leaves room for others.
    """

    run: float = 300.0
    heartbeat: float = 30.0
    drain: float = 8.0
    poll: float = 5.0
    scan: float = 1.0
    backoff: float = 1.0
    longest_backoff: float = 300.0
    at_once: int = 20
    at_once_per_job: int = 5

    @classmethod
    def of(cls, config: Config) -> Pace:
        """Return the pace that the operator has set."""
        return cls(run=config.job_seconds, heartbeat=config.job_heartbeat_seconds, drain=config.drain_seconds)


class Jobs:
    """Takes work into the queue and runs it.

    Args:
        platform: what jobs are given.
        jobs: plugin name and job, as declared.
        listeners: plugin name, full name and function of each durable event listener.
        pace: how patient the worker is; by default as configured.
        wakes: called every second, to enqueue what has become due.

    Raises:
        ValueError: two have the same full name.
    """

    def __init__(
        self,
        platform: Platform,
        jobs: Iterable[tuple[str, Job]],
        listeners: Iterable[tuple[str, str, JobFunction]] = (),
        *,
        pace: Pace | None = None,
        wakes: Sequence[Wake] = (),
    ) -> None:
        self._platform = platform
        self._wakes = tuple(wakes)
        self._pace = pace or Pace.of(platform.config)
        self._worker: Worker | None = None
        self.entries: dict[str, Entry] = {}
        """Every job by its full name."""
        self.faults: dict[str, int] = {}
        """Failed runs in this process by plugin, for /health/ready."""
        for plugin, job in jobs:
            self._add(
                Entry(
                    name=f"{plugin}.{job.name}",
                    plugin=plugin,
                    function=job.function,
                    retries=job.retries,
                    feature=job.feature,
                    schedule=job.schedule,
                )
            )
        for plugin, name, function in listeners:
            self._add(Entry(name=name, plugin=plugin, function=function, retries=LISTENER_RETRIES))

    def _add(self, entry: Entry) -> None:
        if entry.name in self.entries:
            raise ValueError(f"plugin {entry.plugin} declares the job {entry.name} twice")
        self.entries[entry.name] = entry

    async def enqueue(
        self,
        connection: Connection,
        full_name: str,
        payload: Mapping[str, Any],
        practice_id: UUID,
        *,
        same_key: str | None = None,
    ) -> None:
        """Put a job into the queue in the caller's transaction: it exists when that is committed.

        Args:
            connection: the transaction's.
            full_name: `<plugin>.<name>`.
            payload: JSON values, dates and UUIDs. It is kept until the job has ended well, and never logged; ids rather
                than what they stand for.
            practice_id: the practice the job acts for.
            same_key: nothing is done while a job with the same key waits or runs.

        Raises:
            LookupError: no such job is declared.
        """
        if full_name not in self.entries:
            raise LookupError(f"no job {full_name!r} is declared")
        await connection.fetchval(
            "SELECT job_enqueue($1, $2, $3, $4)", full_name, msgspec.json.encode(payload), practice_id, same_key
        )

    async def enqueue_all(self, connection: Connection, wanted: Sequence[tuple[str, Mapping[str, Any], UUID]]) -> None:
        """Put many jobs into the queue in the caller's transaction, in one statement.

        Args:
            connection: the transaction's.
            wanted: of each its full name, its payload and the practice it acts for, as `enqueue` takes them.

        Raises:
            LookupError: one of them is not declared.
        """
        for full_name, _, _ in wanted:
            if full_name not in self.entries:
                raise LookupError(f"no job {full_name!r} is declared")
        await connection.fetchval(
            """SELECT count(job_enqueue(each.name, each.payload, each.practice, NULL))
            FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS each(name, payload, practice)""",
            [full_name for full_name, _, _ in wanted],
            [msgspec.json.encode(payload) for _, payload, _ in wanted],
            [practice_id for _, _, practice_id in wanted],
        )

    async def held(self) -> list[Held]:
        """Return the jobs that have spent their retries, the oldest first, a hundred at most."""
        return [
            Held(
                id=row["id"],
                name=row["job"],
                practice_id=row["practice"],
                attempts=row["attempts"],
                reason=row["reason"],
            )
            for row in await DB.fetch("SELECT * FROM job_held()")
        ]

    async def requeue(self, held_id: int) -> bool:
        """Have a held job run again, with all its retries. Tells whether it was held."""
        return await DB.fetchval("SELECT job_requeue($1)", held_id) is not None

    @property
    def state(self) -> WorkerState:
        """How the worker of this process fares."""
        return self._worker.state if self._worker else WorkerState.OFF

    @asynccontextmanager
    async def running(self, dsn: str) -> AsyncGenerator[None]:
        """Run jobs during the block; at its end running jobs may finish for a while. `DB` must be open around it.

        Args:
            dsn: URL of the database as the application's login role, which may take on the queue's.
        """
        from bedside_core.jobs.worker import Worker  # pgqueuer takes half a second to import

        worker = self._worker = Worker(self._platform, self.entries, self._pace, self.faults, self._wakes)
        try:
            async with worker.running(dsn):
                yield
        finally:
            self._worker = None
