"""Webhooks: where practices are told of their events, and the deliveries."""

from __future__ import annotations

from bedside_core.database import QUEUE, definer_function, practice_table, sql_migration

ID = "core_2026_11_22t01_71"
VERSION = "1.38.0"
DESCRIPTION = "Webhooks and their deliveries."

TABLES = """
CREATE TABLE webhook_endpoint (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice ON DELETE CASCADE,
    member_id uuid NOT NULL,
    client_id text NOT NULL,
    url text NOT NULL,
    types text[] NOT NULL CHECK (cardinality(types) > 0),
    secret bytea NOT NULL,
    secret_before bytea,
    before_until timestamptz,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    failing_since timestamptz,
    disabled_reason text,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, member_id, client_id),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id)
);
CREATE TABLE webhook_delivery (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    type text NOT NULL,
    body text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    status integer,
    reason text,
    milliseconds integer,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    claimed_until timestamptz,
    ended_at timestamptz,
    FOREIGN KEY (practice_id, endpoint_id) REFERENCES webhook_endpoint (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_log ON webhook_delivery (endpoint_id, created_at, id);
"""

FUNCTIONS = [
    # One job for an endpoint waits at a time; it takes all that is due.
    *definer_function(
        "webhook_enqueue(practice uuid, endpoint uuid)",
        "bigint",
        """SELECT job_enqueue('core.webhook_deliver', convert_to(json_build_object('endpoint', endpoint)::text, 'UTF8'),
            practice, 'core.webhook_deliver:' || endpoint)""",
        volatility="VOLATILE",
    ),
    # In the emitter's transaction, who may act for another practice than the event's: a delivery for each endpoint that
    # is told of this type, and a job for each.
    *definer_function(
        "webhook_emit(practice uuid, new_type text, content text, at timestamptz)",
        "bigint",
        """WITH made AS (
            INSERT INTO webhook_delivery (id, practice_id, endpoint_id, type, body, created_at, due_at)
            SELECT gen_random_uuid(), practice, e.id, new_type, content, at, at FROM webhook_endpoint e
            WHERE e.practice_id = practice AND e.enabled AND e.types @> ARRAY[new_type]
            RETURNING endpoint_id
        )
        SELECT count(webhook_enqueue(practice, made.endpoint_id)) FROM made""",
        volatility="VOLATILE",
    ),
    # Asked once a second by each worker: endpoints to which something is due get a job.
    *definer_function(
        "webhook_wake(at timestamptz)",
        "bigint",
        """SELECT count(webhook_enqueue(due.practice_id, due.endpoint_id)) FROM (
            SELECT DISTINCT d.practice_id, d.endpoint_id FROM webhook_delivery d
            WHERE d.state = 'waiting' AND d.due_at <= at
                AND (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp())
        ) due""",
        volatility="VOLATILE",
    ),
    f"GRANT EXECUTE ON FUNCTION webhook_wake(timestamptz) TO {QUEUE}",
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [TABLES, *practice_table("webhook_endpoint"), *practice_table("webhook_delivery"), *FUNCTIONS],
    )
