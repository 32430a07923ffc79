"""Files of messages are found by those who take part from other practices, and listed by conversation."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_22t03_20"
VERSION = "1.38.0"
DESCRIPTION = "Files of messages are found across practices, and by conversation."

STATEMENTS = [
    "CREATE INDEX message_attachment_conversation ON message_attachment (conversation_id)",
    # The practice of a file at a message, or of its tombstone, for whoever takes part in the conversation.
    *definer_function(
        "chat_file_practice(wanted uuid)",
        "uuid",
        """SELECT f.practice_id FROM file f JOIN message m ON m.id = f.owner_id AND m.practice_id = f.practice_id
            JOIN participant p ON p.conversation_id = m.conversation_id
        WHERE f.id = wanted AND f.owner_kind = 'chat_message' AND p.person_id = app_person() AND p.left_at IS NULL""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, STATEMENTS)
