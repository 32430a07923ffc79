"""Links by which people without an account reach one conversation (C6)."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "chat_2026_11_22t03_10"
VERSION = "1.38.0"
DESCRIPTION = "Links to conversations for people without an account."

TABLE = """
CREATE TABLE guest_link (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    person_id uuid NOT NULL,
    person_kind text NOT NULL CHECK (person_kind IN ('patient', 'contact')),
    channel text NOT NULL CHECK (channel IN ('email', 'sms')),
    address text NOT NULL CHECK (address <> ''),
    sent_by uuid NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    UNIQUE (practice_id, conversation_id, person_id),
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX guest_link_by_person ON guest_link (practice_id, person_id);
"""

# Whose link it is: asked with the id that only its secret leads to.
PRACTICE = definer_function(
    "guest_link_practice(wanted uuid)", "uuid", "SELECT g.practice_id FROM guest_link g WHERE g.id = wanted"
)


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, [TABLE, *practice_table("guest_link"), *PRACTICE])
