"""Figures for an operator's monitoring: how much waits, and since when; no rows, no ids (promise A2)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_55"
VERSION = "1.38.0"
DESCRIPTION = "Figures for monitoring."

FUNCTIONS = [
    # Of those that may run already: one that waits for its next try is not late.
    *definer_function(
        "figures_of_jobs()",
        "TABLE (job text, state text, jobs bigint, oldest_seconds double precision)",
        """SELECT entrypoint, status::text, count(*),
            coalesce(extract(epoch FROM now() - min(greatest(created, execute_after))
                FILTER (WHERE execute_after <= now())), 0)::double precision
        FROM pgqueuer GROUP BY entrypoint, status""",
    ),
    *definer_function(
        "figures_of_notifications(at timestamptz)",
        "TABLE (channel text, waiting bigint, oldest_seconds double precision)",
        """SELECT channel, count(*), coalesce(extract(epoch FROM at - min(due_at)
            FILTER (WHERE due_at <= at)), 0)::double precision
        FROM notification_delivery WHERE state = 'waiting' GROUP BY channel""",
    ),
    *definer_function(
        "figures_of_schedules(at timestamptz)",
        "TABLE (schedules bigint, overdue_seconds double precision)",
        """SELECT count(*), greatest(coalesce(extract(epoch FROM at - min(due_at)), 0), 0)::double precision
        FROM job_schedule""",
    ),
    *definer_function(
        "figures_of_files()",
        "TABLE (state text, files bigint, bytes bigint)",
        """SELECT CASE WHEN lost THEN 'lost' ELSE file.state END, count(*), coalesce(sum(size), 0)::bigint
        FROM file GROUP BY 1""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
