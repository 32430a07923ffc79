"""A practice that is connected no longer reads what was written until then, and nothing further (P2)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_23t00_00"
VERSION = "1.38.0"
DESCRIPTION = "A practice that is connected no longer reads what was written until then."

_CONNECTED = """EXISTS (SELECT FROM connection n WHERE n.state = 'accepted'
    AND least(n.asker, n.asked) = least(home, c.practice_id)
    AND greatest(n.asker, n.asked) = greatest(home, c.practice_id))"""

FUNCTIONS = [
    # Null is no end: people of the practice that owns the conversation, or of one that is connected to it.
    *definer_function(
        "chat_until(conversation uuid, home uuid)",
        "timestamptz",
        f"""SELECT CASE WHEN c.practice_id = home OR {_CONNECTED} THEN NULL ELSE coalesce(
            (SELECT max(n.changed_at) FROM connection n WHERE n.state = 'ended'
                AND least(n.asker, n.asked) = least(home, c.practice_id)
                AND greatest(n.asker, n.asked) = greatest(home, c.practice_id)), '-infinity') END
        FROM conversation c WHERE c.id = conversation
            AND (app_practice() IN (c.practice_id, home) OR chat_takes_part(conversation))""",
    ),
    *definer_function(
        "chat_sees(conversation uuid, sent timestamptz)",
        "boolean",
        """SELECT chat_takes_part(conversation)
            AND coalesce(sent <= chat_until(conversation, app_practice()), true)""",
    ),
    # The numbers of a conversation as the acting practice sees it, where another one owns it.
    *definer_function(
        "chat_messages(conversation uuid, present bigint)",
        "bigint",
        """SELECT CASE WHEN u.until IS NULL THEN present ELSE coalesce((SELECT max(m.number) FROM message m
            WHERE m.conversation_id = conversation AND m.sent_at <= u.until), 0) END
        FROM (SELECT chat_until(conversation, app_practice()) AS until) AS u""",
    ),
    *definer_function(
        "chat_last(conversation uuid, present bigint)",
        "bigint",
        """SELECT CASE WHEN u.until IS NULL THEN present ELSE (SELECT max(m."position") FROM message m
            WHERE m.conversation_id = conversation AND m.sent_at <= u.until) END
        FROM (SELECT chat_until(conversation, app_practice()) AS until) AS u""",
    ),
    *definer_function(
        "chat_search(wanted text, conversation uuid, before_at timestamptz, before_id uuid, size int)",
        "TABLE (id uuid)",
        """SELECT m.id FROM (SELECT (chat_words(wanted))[1:8] AS words) AS asked
        JOIN participant p ON p.person_id = app_person() AND p.home_id = app_practice() AND p.left_at IS NULL
            AND (conversation IS NULL OR p.conversation_id = conversation)
        JOIN message m ON m.words @@ chat_query(p.conversation_id, asked.words)
            AND m.conversation_id IS NOT DISTINCT FROM p.conversation_id
        WHERE m.deleted_at IS NULL AND (before_at IS NULL OR (m.sent_at, m.id) < (before_at, before_id))
            AND (p.home_id = p.practice_id OR chat_sees(m.conversation_id, m.sent_at))
        ORDER BY m.sent_at DESC, m.id DESC LIMIT size""",
    ),
]

POLICY = [
    "DROP POLICY participant ON message",
    "CREATE POLICY participant ON message FOR SELECT TO bedside_application "
    "USING (chat_sees(conversation_id, sent_at))",
]


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, [*FUNCTIONS, *POLICY])
