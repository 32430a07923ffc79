"""The stage on which jobs are tested: a platform with practices and plans, and jobs that note how they were run.

Run as a script it is a worker of its own: `python jobs_stage.py DSN` serves `PROCESS_JOBS` until it is told to stop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import asyncpg

from bedside_core.access import Access, Feature, FeatureState, Reason, Tier
from bedside_core.clock import Clock
from bedside_core.config import Config
from bedside_core.database import DB
from bedside_core.ids import uuid7
from bedside_core.jobs import Job, JobRun, Jobs, Pace
from bedside_core.platform import Platform
from bedside_core.testing import Database

DEADLINE_SECONDS = 30.0
FEATURE = Feature(key="rounds", title="Rounds", doc="Rounds of the ward.", tier=Tier.PREMIUM)

QUICK = Pace(run=10, heartbeat=20, drain=5, poll=0.2, scan=0.05, backoff=0.02, longest_backoff=0.1)
SHORT_HEARTBEAT = Pace(run=20, heartbeat=1, drain=0.2, poll=0.2, scan=0.05, backoff=0.02, longest_backoff=0.1)


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until something holds, or fail saying what did not come about."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


class Plans:
    """Entitlements out of a set of practices."""

    def __init__(self) -> None:
        self.with_feature: set[UUID] = set()

    async def states(self, practice_id: UUID) -> Mapping[str, FeatureState]:
        enabled = practice_id in self.with_feature
        reason = Reason.INCLUDED if enabled else Reason.NOT_IN_TIER
        return {FEATURE.key: FeatureState(key=FEATURE.key, enabled=enabled, reason=reason, tier=FEATURE.tier)}

    async def limit(self, practice_id: UUID, key: str) -> int | None:
        return None


class Stage:
    """One process's view: a platform with the parts that jobs need."""

    def __init__(self) -> None:
        self.plans = Plans()
        self.clock = Clock(movable=True)
        self.platform = Platform(
            config=Config(testing=True),
            clock=self.clock,
            plugins=cast(Any, None),
            auth=cast(Any, None),
            people=cast(Any, None),
            settings=cast(Any, None),
            live=cast(Any, None),
            links=cast(Any, None),
        )
        self.platform.access = Access(self.platform, [FEATURE], [], self.plans, plans_expected=True)

    def jobs(self, *jobs: Job, pace: Pace = QUICK, **options: Any) -> Jobs:
        """The jobs of a plugin called `ward`."""
        return Jobs(self.platform, [("ward", job) for job in jobs], pace=pace, **options)


async def practices(count: int) -> list[UUID]:
    """Make practices."""
    made = [uuid7() for _ in range(count)]
    for practice in made:
        sql = "SELECT practice_create($1, 'Bay View', 'UTC', $1::uuid::text, $2, NULL, NULL)"
        await DB.execute(sql, practice, Clock().now())
    return made


async def put(jobs: Jobs, name: str, practice: UUID, payload: Mapping[str, Any] | None = None) -> None:
    """Enqueue a job in a transaction of its own."""
    async with DB.transaction(), DB.connection() as connection:
        await jobs.enqueue(connection, name, payload or {}, practice)


def job(name: str, function: Callable[[JobRun], Any], **facts: Any) -> Job:
    return Job(name=name, function=function, doc="A job of a test.", public=True, **facts)


async def waiting(database: Database) -> int:
    """How many jobs are queued or running."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetchval("SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked')")
    finally:
        await owner.close()


async def settled(database: Database) -> None:
    """Wait until every job has ended or is held."""

    async def empty() -> bool:
        return await waiting(database) == 0

    await until(empty, "an empty queue")


class Notes:
    """A job that notes its runs."""

    def __init__(self, *failures: BaseException) -> None:
        self.runs: list[JobRun] = []
        self._failures = list(failures)

    async def __call__(self, run: JobRun) -> None:
        self.runs.append(run)
        if self._failures:
            raise self._failures.pop(0)

    def job(self, name: str = "note", **facts: Any) -> Job:
        async def note(run: JobRun) -> None:
            await self(run)

        facts.setdefault("public", "feature" not in facts)
        return Job(name=name, function=note, doc="Notes that it was run.", **facts)

    @property
    def practices(self) -> list[UUID]:
        return [run.practice_id for run in self.runs]


# As a process of its own


def note(run: JobRun, word: str) -> None:
    """Append a line to the file that the payload names."""
    with Path(run.payload["file"]).open("a") as file:
        file.write(f"{word} {run.attempt}\n")


async def _poison(run: JobRun) -> None:
    note(run, "poison")
    os._exit(9)


async def _long(run: JobRun) -> None:
    note(run, "begun")
    if run.attempt == 1:
        await asyncio.sleep(DEADLINE_SECONDS)
    note(run, "done")


async def _quick(run: JobRun) -> None:
    note(run, "quick")


PROCESS_JOBS: Sequence[Job] = (
    Job(name="poison", function=_poison, doc="Ends its worker.", retries=1, public=True),
    Job(name="long", function=_long, doc="Takes long the first time.", public=True),
    Job(name="quick", function=_quick, doc="Ends at once.", public=True),
)


@asynccontextmanager
async def worker_process(dsn: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run this module as a worker, and kill it at the end unless it has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, dsn, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parent
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(3 * DEADLINE_SECONDS):  # three at once, on a machine with two cores and other work
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _serve(dsn: str, jobs: Iterable[Job]) -> None:
    await DB.open(dsn)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Stage().jobs(*jobs, pace=SHORT_HEARTBEAT).running(dsn):
        print("ready", flush=True)
        await stop.wait()
    await DB.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], PROCESS_JOBS))
