"""Exports with the name of a file go when the file is deleted, though its message stays (F2)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_22t04_21"
VERSION = "1.38.0"
DESCRIPTION = "When something was last deleted for good in a conversation, a message or a file of one."

# Of what was deleted before, the last change of its message is the latest that it can have been.
LOST = """
ALTER TABLE conversation ADD COLUMN lost_at bigint NOT NULL DEFAULT 0;
UPDATE conversation c SET lost_at = coalesce((SELECT max(m.changed) FROM message m WHERE m.conversation_id = c.id
    AND (m.deleted_at IS NOT NULL OR EXISTS (SELECT FROM file f
        WHERE f.owner_kind = 'chat_message' AND f.owner_id = m.id AND f.state = 'deleted'))), 0);
ALTER TABLE conversation ADD CHECK (lost_at <= "position");
"""

STALE = definer_function(
    "chat_export_is_stale(conversation uuid, reached bigint)",
    "boolean",
    "SELECT NOT EXISTS (SELECT FROM conversation c WHERE c.id = conversation AND c.lost_at <= reached)",
)


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, [LOST, *STALE])
