"""Enqueues scheduled jobs when the product's clock says so: each tick once, however many workers look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bedside_core.clock import Clock
from bedside_core.jobs.declared import next_due

SKEW = timedelta(hours=1)
"""More than the clocks of two servers ever differ by; a due time further off than this is no other worker's."""


class Schedules:
    """The table `job_schedule`: when each scheduled job is due next.

    Args:
        crons: full name of the job -> cron expression in UTC.
        clock: the product's time.
    """

    def __init__(self, crons: Mapping[str, str], clock: Clock) -> None:
        self._crons = dict(crons)
        self._clock = clock

    async def register(self, pool: Any) -> None:
        """Make the jobs known that are new or have another schedule than before."""
        now = self._clock.now()
        for name, cron in self._crons.items():
            await pool.execute(
                """INSERT INTO job_schedule AS known (name, cron, due_at) VALUES ($1, $2, $3)
                   ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, due_at = excluded.due_at
                   WHERE known.cron <> excluded.cron""",
                name,
                cron,
                next_due(cron, now),
            )

    async def scan(self, pool: Any) -> int:
        """Enqueue what is due, once for each practice, and return how many schedules that were.

        A tick and its jobs are one transaction, so a worker that dies in between leaves both to the next. What was
        missed while no worker ran is made up for once, not once for each tick.
        """
        now = self._clock.now()
        async with pool.acquire() as connection, connection.transaction():
            # The clock of a demo may have been moved far ahead and back: then nothing would be due for that long.
            rows = await connection.fetch(
                """SELECT name, due_at FROM job_schedule
                   JOIN unnest($1::text[], $2::timestamptz[]) AS known (name, latest) USING (name)
                   WHERE due_at <= $3 OR due_at > latest FOR UPDATE OF job_schedule SKIP LOCKED""",
                list(self._crons),
                [self._latest(cron, now) for cron in self._crons.values()],
                now,
            )
            due = [row for row in rows if row["due_at"] <= now]
            for row in due:
                await connection.execute(
                    "SELECT job_enqueue($1, $2, practice, $3 || practice) FROM practice_ids() AS practice",
                    row["name"],
                    msgspec.json.encode({"due_at": row["due_at"]}),
                    f"{row['name']}@{row['due_at'].isoformat()}:",
                )
            await connection.executemany(
                "UPDATE job_schedule SET due_at = $2 WHERE name = $1",
                [(row["name"], next_due(self._crons[row["name"]], now)) for row in rows],
            )
        return len(due)

    @staticmethod
    def _latest(cron: str, now: datetime) -> datetime:
        """Return the latest time for which the job can rightly be due next, be this clock a little behind another."""
        return max(next_due(cron, next_due(cron, now)), now + SKEW)
