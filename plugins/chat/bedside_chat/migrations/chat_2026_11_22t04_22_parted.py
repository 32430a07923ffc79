"""Who takes part in a conversation of a practice that theirs is connected to no longer (P2)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_22t04_22"
VERSION = "1.38.0"
DESCRIPTION = "Whose practices are connected no longer."

# For whoever takes part in the conversation, the practice that owns it, and each practice of its own people.
PARTED = definer_function(
    "chat_parted(wanted uuid[])",
    "TABLE (conversation_id uuid, person_id uuid)",
    """SELECT p.conversation_id, p.person_id FROM participant p
    WHERE p.conversation_id = ANY(wanted) AND p.left_at IS NULL AND p.kind = 'member' AND p.home_id <> p.practice_id
        AND NOT EXISTS (SELECT FROM connection n WHERE n.state = 'accepted'
            AND least(n.asker, n.asked) = least(p.home_id, p.practice_id)
            AND greatest(n.asker, n.asked) = greatest(p.home_id, p.practice_id))
        AND (app_practice() IN (p.practice_id, p.home_id) OR chat_takes_part(p.conversation_id))""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, PARTED)
