"""Whether anybody is reached by what is written: a link that is open, a member who is active (C6, C9)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_23t00_01"
VERSION = "1.38.0"
DESCRIPTION = (
    "Whether anybody is reached by what is written; who joins after a connection's end is not shown beyond it."
)

# What is lacking for somebody who takes part: `link` where the patient or contact has none that is open, `member` where
# no member of the practice would hear. Null is nothing. Who left and was not removed comes back with a message (C9).
LACKING = definer_function(
    "chat_lacking(conversation uuid, person uuid, at timestamptz)",
    "text",
    """SELECT CASE
        WHEN c.kind IN ('patient', 'external') AND me.kind = 'member' THEN CASE WHEN EXISTS (
            SELECT FROM participant s WHERE s.conversation_id = c.id AND s.person_id = c.subject_id AND s.by_link
        ) AND NOT EXISTS (
            SELECT FROM guest_link g WHERE g.conversation_id = c.id AND g.person_id = c.subject_id
                AND g.revoked_at IS NULL AND g.expires_at > at AND g.failures < 5
        ) THEN 'link' END
        WHEN c.kind IN ('patient', 'external', 'direct') AND EXISTS (
            SELECT FROM participant o WHERE o.conversation_id = c.id AND o.person_id <> person AND o.kind = 'member'
        ) AND NOT EXISTS (
            SELECT FROM participant o JOIN member m ON m.id = o.person_id AND m.active
            WHERE o.conversation_id = c.id AND o.person_id <> person AND o.kind = 'member' AND NOT o.removed
        ) THEN 'member'
    END
    FROM conversation c JOIN participant me ON me.conversation_id = c.id AND me.person_id = person
    WHERE c.id = conversation AND (c.practice_id = app_practice() OR chat_takes_part(c.id))""",
)

POLICY = [
    "DROP POLICY participant ON participant",
    "CREATE POLICY participant ON participant FOR SELECT TO bedside_application "
    "USING (chat_sees(conversation_id, joined_at))",
]


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, [*LACKING, *POLICY])
