"""Receivers that are slow to answer get jobs of their own, behind which no others wait."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_30"
VERSION = "1.38.0"
DESCRIPTION = "Slow receivers of webhooks apart from the others."

COLUMN = "ALTER TABLE webhook_endpoint ADD COLUMN slow boolean NOT NULL DEFAULT false"

FUNCTIONS = [
    # One job for an endpoint waits at a time; it takes all that is due. As many jobs of one name run at once as may.
    *definer_function(
        "webhook_enqueue(practice uuid, endpoint uuid)",
        "bigint",
        """SELECT job_enqueue(e.job, convert_to(json_build_object('endpoint', endpoint)::text, 'UTF8'), practice,
            e.job || ':' || endpoint)
        FROM (
            SELECT CASE WHEN slow THEN 'core.webhook_deliver_slow' ELSE 'core.webhook_deliver' END AS job
            FROM webhook_endpoint WHERE id = endpoint AND practice_id = practice
        ) e""",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [COLUMN, *FUNCTIONS])
