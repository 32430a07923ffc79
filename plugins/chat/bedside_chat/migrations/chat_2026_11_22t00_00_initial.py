"""Conversations, who takes part, and messages."""

from __future__ import annotations

from bedside_core.api import definer_function, shared_table, sql_migration

ID = "chat_2026_11_22t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Conversations, who takes part, and messages."

# The position is raised by the UPDATE that sends a message: its row lock makes the order of commits that of positions.
TABLES = """
CREATE TABLE conversation (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    kind text NOT NULL CHECK (kind IN ('direct')),
    direct_key text NOT NULL,
    "position" bigint NOT NULL DEFAULT 0,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    active_at timestamptz NOT NULL,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, direct_key)
);
CREATE TABLE participant (
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    person_id uuid NOT NULL,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, person_id),
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX participant_by_person ON participant (person_id, conversation_id);
CREATE TABLE message (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    "position" bigint NOT NULL,
    sender_id uuid NOT NULL,
    body text NOT NULL CHECK (body <> ''),
    client_id text NOT NULL,
    sent_at timestamptz NOT NULL,
    UNIQUE (conversation_id, "position"),
    UNIQUE (conversation_id, sender_id, client_id),
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE conversation_start (
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    client_id text NOT NULL,
    conversation_id uuid NOT NULL,
    PRIMARY KEY (practice_id, person_id, client_id),
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
"""

FUNCTIONS = [
    *definer_function(
        "chat_takes_part(conversation uuid)",
        "boolean",
        """SELECT EXISTS (SELECT FROM participant p
        WHERE p.conversation_id = conversation AND p.person_id = app_person())""",
    ),
    *definer_function(
        "chat_positions(wanted uuid[])",
        'TABLE (id uuid, "position" bigint)',
        'SELECT c.id, c."position" FROM conversation c WHERE c.id = ANY(wanted)',
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "chat",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *FUNCTIONS,
            *shared_table("conversation", "chat_takes_part(id)"),
            *shared_table("participant", "chat_takes_part(conversation_id)"),
            *shared_table("message", "chat_takes_part(conversation_id)"),
            *shared_table("conversation_start", "person_id = (SELECT app_person())"),
        ],
    )
