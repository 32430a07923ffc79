"""The job queue: pgqueuer's tables as its release makes them, and ours beside them."""

from __future__ import annotations

from bedside_core.database import QUEUE, definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t00_10"
VERSION = "1.38.0"
DESCRIPTION = "The job queue."

LIBRARY = ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics")
OURS = ("job_attempt", "job_schedule")

TABLES = """
-- Rows come and go all the time.
ALTER TABLE pgqueuer SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, fillfactor = 70);
CREATE TABLE job_attempt (
    job_id bigint PRIMARY KEY REFERENCES pgqueuer ON DELETE CASCADE,
    number integer NOT NULL,
    running boolean NOT NULL,
    reason text NOT NULL DEFAULT ''
);
CREATE TABLE job_schedule (
    name text PRIMARY KEY,
    cron text NOT NULL,
    due_at timestamptz NOT NULL
);
"""

FUNCTIONS = [
    # What pgqueuer's own enqueue does for one job; tests/core/test_jobs_queue.py compares the two. Null where a job
    # with the same key waits or runs.
    *definer_function(
        "job_enqueue(job text, content bytea, practice uuid, same_key text)",
        "bigint",
        """WITH inserted AS (
            INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, headers, status)
            VALUES (0, job, content, now(), same_key, jsonb_build_object('practice', practice), 'queued')
            ON CONFLICT (dedupe_key)
            WHERE status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status]) AND dedupe_key IS NOT NULL
            DO NOTHING
            RETURNING id, entrypoint, priority
        ), logged AS (
            INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
            SELECT id, 'queued', entrypoint, priority FROM inserted
        )
        SELECT id FROM inserted""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "job_held()",
        "TABLE (id bigint, job text, practice uuid, attempts integer, reason text)",
        """SELECT q.id, q.entrypoint, (q.headers->>'practice')::uuid, coalesce(a.number, 0), coalesce(a.reason, '')
        FROM pgqueuer q LEFT JOIN job_attempt a ON a.job_id = q.id WHERE q.status = 'failed' ORDER BY q.id LIMIT 100""",
    ),
    *definer_function(
        "job_requeue(wanted bigint)",
        "bigint",
        """WITH requeued AS (
            UPDATE pgqueuer
            SET status = 'queued', execute_after = now(), updated = now(), attempts = 0, queue_manager_id = NULL
            WHERE id = wanted AND status = 'failed' RETURNING id, entrypoint, priority
        ), logged AS (
            INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
            SELECT id, 'queued', entrypoint, priority FROM requeued
        ), forgotten AS (
            DELETE FROM job_attempt WHERE job_id IN (SELECT id FROM requeued)
        )
        SELECT id FROM requeued""",
        volatility="VOLATILE",
    ),
]

# The worker works as this role, which sees every practice's jobs and nothing else.
RIGHTS = [
    sql
    for table in (*LIBRARY, *OURS)
    for sql in (
        *deployment_table(table),
        f"CREATE POLICY worker ON {table} TO {QUEUE} USING (true) WITH CHECK (true)",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {QUEUE}",
    )
]
FOR_THE_WORKER = f"GRANT EXECUTE ON FUNCTION job_enqueue(text, bytea, uuid, text), practice_ids() TO {QUEUE}"


async def forwards():
    """Run the migration."""
    from bedside_core.jobs.library import install_sql  # slow to import, and rarely needed

    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [install_sql(), TABLES, *RIGHTS, *FUNCTIONS, FOR_THE_WORKER],
    )
