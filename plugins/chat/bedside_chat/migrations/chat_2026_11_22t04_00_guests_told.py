"""Who has come by a link, and people without an account who are told of further messages."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_22t04_00"
VERSION = "1.38.0"
DESCRIPTION = "When a guest's link was last used; guests are told of further messages."

_MAY = """EXISTS (SELECT FROM conversation c WHERE c.id = conversation
        AND (c.practice_id = app_practice() OR chat_takes_part(c.id)))"""
_NAME = """coalesce((SELECT m.first_name || ' ' || m.last_name FROM member m WHERE m.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM patient t WHERE t.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM contact t WHERE t.id = s.person_id), s.shown_name)"""

# Members and patients as before, without a link. Of the others those whose link is open; who has a letter of the last
# minutes unopened finds the message by that one.
TOLD = definer_function(
    "chat_told(conversation uuid, by_person uuid, at timestamptz, fresh interval)",
    "TABLE (person_id uuid, kind text, home_id uuid, sender text, link_id uuid, channel text, address text)",
    f"""SELECT p.person_id, p.kind, p.home_id, {_NAME}, g.id, g.channel,
        CASE g.channel WHEN 'email' THEN coalesce(t.email, k.email) ELSE coalesce(t.phone, k.phone) END
    FROM participant s JOIN participant p ON p.conversation_id = s.conversation_id AND p.person_id <> s.person_id
    LEFT JOIN guest_link g ON p.by_link AND g.conversation_id = p.conversation_id AND g.person_id = p.person_id
        AND g.revoked_at IS NULL AND g.expires_at > at
        AND NOT (g.sent_at > at - fresh AND (g.entered_at IS NULL OR g.entered_at < g.sent_at))
    LEFT JOIN patient t ON p.by_link AND p.kind = 'patient' AND t.id = p.person_id
    LEFT JOIN contact k ON p.by_link AND p.kind = 'contact' AND k.id = p.person_id
    WHERE s.conversation_id = conversation AND s.person_id = by_person AND p.left_at IS NULL
        AND (NOT p.by_link AND p.kind IN ('member', 'patient') OR g.id IS NOT NULL) AND {_MAY}""",
)


async def forwards():
    """Run the migration."""
    return sql_migration(
        "chat",
        ID,
        DESCRIPTION,
        ["ALTER TABLE guest_link ADD COLUMN entered_at timestamptz", "DROP FUNCTION chat_told(uuid, uuid)", *TOLD],
    )
