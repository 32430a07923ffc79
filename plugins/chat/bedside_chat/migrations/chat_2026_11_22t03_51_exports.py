"""Exports of conversations (C15)."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "chat_2026_11_22t03_51"
VERSION = "1.38.0"
DESCRIPTION = "Exports of conversations."

# The practice is that of who asked, whose file it is; another practice may own the conversation.
TABLES = """
CREATE TABLE conversation_export (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    conversation_id uuid NOT NULL,
    made_by uuid NOT NULL,
    client_id text NOT NULL,
    asked_by jsonb NOT NULL,
    form text NOT NULL CHECK (form IN ('pdf', 'json')),
    purpose text,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'ready', 'failed', 'expired')),
    reason text,
    "position" bigint,
    file_id uuid,
    size bigint,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    expires_at timestamptz,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, made_by, client_id),
    CHECK ((state = 'ready') <= (num_nulls("position", file_id, size, ended_at, expires_at) = 0)),
    CHECK ((state = 'failed') = (reason IS NOT NULL))
);
CREATE INDEX conversation_export_by_maker ON conversation_export (practice_id, made_by, created_at DESC, id DESC);
CREATE INDEX conversation_export_of ON conversation_export (conversation_id) WHERE state = 'ready';
CREATE INDEX conversation_export_by_expiry ON conversation_export (practice_id, expires_at) WHERE state = 'ready';
"""

FUNCTIONS = [
    # Whether something that was there at a position of a conversation is there no more; what is asked for by whom has
    # an export of it.
    *definer_function(
        "chat_export_is_stale(conversation uuid, reached bigint)",
        "boolean",
        """SELECT NOT EXISTS (SELECT FROM conversation c WHERE c.id = conversation)
        OR EXISTS (SELECT FROM message m WHERE m.conversation_id = conversation AND m.deleted_at IS NOT NULL
            AND m.changed > reached)""",
    ),
    # Which other practices' people have exports of a conversation that the person acted for deletes something in.
    *definer_function(
        "chat_exporting_practices(conversation uuid)",
        "SETOF uuid",
        """SELECT DISTINCT e.practice_id FROM conversation_export e WHERE e.conversation_id = conversation
        AND e.state = 'ready' AND e.practice_id IS DISTINCT FROM app_practice()""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, [TABLES, *practice_table("conversation_export"), *FUNCTIONS])
