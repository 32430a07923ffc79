"""Counts how often each job was started, so that one that ends its worker does not do so for ever.

pgqueuer counts failures only: a job whose worker was killed is picked up by the next one as if it had never run. So
each start is written down in a transaction of its own, before the job runs, and each orderly end after it. A start
without an end, found by the worker that picks the job up, is a worker that ended.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Start(NamedTuple):
    """What is known when a job is picked up.

    Args:
        number: of this start, the first being 1; of the last one where `interrupted`.
        interrupted: the last start did not end. This one is not counted: the job should wait first.
    """

    number: int
    interrupted: bool


class Attempts:
    """The table `job_attempt`, whose rows go with their jobs.

    Args:
        pool: connections as the queue's role.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def begin(self, job_id: int) -> Start:
        """Write down a start."""
        row = await self._pool.fetchrow(
            """INSERT INTO job_attempt AS known (job_id, number, running) VALUES ($1, 1, true)
               ON CONFLICT (job_id) DO UPDATE
               SET number = known.number + (NOT known.running)::int, running = NOT known.running
               RETURNING number, running""",
            job_id,
        )
        return Start(row["number"], not row["running"])

    async def end(self, job_id: int, reason: str) -> None:
        """Write down that a start ended, and why it was no success. (A success takes the row along.)"""
        await self._pool.execute(
            "UPDATE job_attempt SET running = false, reason = $2 WHERE job_id = $1", job_id, reason
        )

    async def take_back(self, job_id: int) -> None:
        """Forget the last start: the worker stopped, which is not the job's fault."""
        await self._pool.execute(
            "UPDATE job_attempt SET running = false, number = number - 1 WHERE job_id = $1 AND running", job_id
        )
